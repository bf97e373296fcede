<?php
// A transfer of APIv2 with the merchant's certificate, after README_APIv2 of wechatpay-php (Apache-2.0).

use WeChatPay\Builder;
use WeChatPay\Transformer;

// 商户号
$merchantId = '1900000109';
// APIv2密钥(32字节)
$apiv2Key = getenv('WXPAY_SECRET');

$instance = Builder::factory([
    'mchid'      => $merchantId,
    'serial'     => '3775B6A45ACD588826D15E583A95F5DDC0FFEE00',
    'privateKey' => 'file:///path/to/merchant/apiclient_key.pem',
    'certs'      => ['PUB_KEY_ID_0119000001092026010100000000000000' => 'file:///path/to/wechatpay/pub_key.pem'],
    'secret'     => $apiv2Key,
    'merchant' => [
        'cert' => '/path/to/merchant/apiclient_cert.pem',
        'key'  => '/path/to/merchant/apiclient_key.pem',
    ],
    'base_uri'   => getenv('WXPAY_BASE_URI'),
    // Where Guzzle has 'verify'.
    'root_certificate' => file_get_contents('/path/to/root.pem'),
]);

$res = $instance
->v2->mmpaymkttransfers->promotion->transfers
->postAsync([
    'xml' => [
      'mch_appid'        => 'wx8888888888888888',
      'mchid'            => '1900000109',// 注意这个商户号，key是`mchid`非`mch_id`
      'partner_trade_no' => '10000098201411111234567890',
      'openid'           => 'oxTWIuGaIt6gTKsQRLau2M0yL16E',
      'check_name'       => 'FORCE_CHECK',
      're_user_name'     => '王小王',
      'amount'           => '10099',
      'desc'             => '理赔',
      'spbill_create_ip' => '192.168.0.1',
    ],
    'security' => true, //请求需要双向证书
    'debug' => false //开启调试模式
])
->then(static function($response) {
    return Transformer::toArray((string)$response->getBody());
})
->otherwise(static function($e) {
    // 更多`$e`异常类型判断是必须的，这里仅列出一种可能情况
    if ($e instanceof \GuzzleHttp\Promise\RejectionException) {
        return Transformer::toArray((string)$e->getReason()->getBody());
    }
    return [];
})
->wait();
print_r($res);
echo $res['payment_no'] ?? 'none', PHP_EOL;
