<?php
// Variables of the path, and promises, after the README of wechatpay-php (Apache-2.0).

require_once('vendor/autoload.php');

use WeChatPay\Builder;
use WeChatPay\Crypto\Rsa;

$platformPublicKeyInstance = Rsa::from('file:///path/to/wechatpay/pub_key.pem', Rsa::KEY_TYPE_PUBLIC);
$platformPublicKeyId = 'PUB_KEY_ID_0119000001092026010100000000000000';

$instance = Builder::factory([
    'mchid'      => '1900000109',
    'serial'     => '3775B6A45ACD588826D15E583A95F5DDC0FFEE00',
    'privateKey' => Rsa::from('file:///path/to/merchant/apiclient_key.pem'),
    'certs'      => [$platformPublicKeyId => $platformPublicKeyInstance],
    'base_uri'   => getenv('WXPAY_BASE_URI'),
]);

$promise = $instance
->v3->pay->transactions->outTradeNo->_out_trade_no_
->getAsync([
    // Query 参数
    'query' => ['mchid' => '1900000109'],
    // 变量名 => 变量值
    'out_trade_no' => '1217752501201407033233368018',
])
->then(static function($response) {
    // 正常逻辑回调处理
    $order = json_decode((string) $response->getBody(), true);
    echo $order['trade_state'], ' ', $order['amount']['total'], PHP_EOL;
    return $response;
})
->otherwise(static function($e) {
    // 异常错误处理
    echo $e->getMessage(), PHP_EOL;
    if ($e instanceof \GuzzleHttp\Exception\RequestException && $e->hasResponse()) {
        $r = $e->getResponse();
        echo $r->getStatusCode() . ' ' . $r->getReasonPhrase(), PHP_EOL;
        echo $r->getBody(), PHP_EOL, PHP_EOL, PHP_EOL;
    }
    echo $e->getTraceAsString(), PHP_EOL;
});
// 同步等待
$promise->wait();

$response = $instance
->v3->pay->transactions->outTradeNo->{'{out_trade_no}'}->close
->postAsync([
    // 请求消息
    'json' => ['mchid' => '1900000109'],
    'out_trade_no' => '1217752501201407033233368018',
])
->wait();
echo $response->getStatusCode(), PHP_EOL;
