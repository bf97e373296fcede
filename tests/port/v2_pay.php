<?php
// Payments and refunds of APIv2, after README_APIv2 of wechatpay-php (Apache-2.0).

use WeChatPay\Builder;
use WeChatPay\Transformer;

// 商户号
$merchantId = '1900000109';
// APIv2密钥(32字节)
$apiv2Key = getenv('WXPAY_SECRET');

// APIv2 alone: what only APIv3 needs is filled with anything.
$instance = Builder::factory([
    'mchid'      => $merchantId,
    'serial'     => 'nop',
    'privateKey' => 'any',
    'certs'      => ['any' => null],
    'secret'     => $apiv2Key,
    'merchant' => [
        'cert' => '/path/to/merchant/apiclient_cert.pem',
        'key'  => '/path/to/merchant/apiclient_key.pem',
    ],
    'base_uri'   => getenv('WXPAY_BASE_URI'),
    // Where Guzzle has 'verify'.
    'root_certificate' => file_get_contents('/path/to/root.pem'),
]);

// 付款码支付
$resp = $instance->chain('v2/pay/micropay')->post(['xml' => [
    'appid'            => 'wx8888888888888888',
    'mch_id'           => $merchantId,
    'body'             => 'image形象店-深圳腾大- QQ公仔',
    'out_trade_no'     => '1217752501201407033233368018',
    'total_fee'        => 888,
    'spbill_create_ip' => '8.8.8.8',
    'auth_code'        => '120061098828009406',
]]);
$paid = Transformer::toArray((string) $resp->getBody());
echo $paid['transaction_id'], PHP_EOL;

try {
    $instance->v2->secapi->pay->refund->post([
        'xml' => [
            'appid'         => 'wx8888888888888888',
            'mch_id'        => $merchantId,
            'out_trade_no'  => '1217752501201407033233368018',
            'out_refund_no' => 'R1217752501201407033233368018',
            'total_fee'     => 888,
            'refund_fee'    => 888,
        ],
        'security' => true,
    ]);
    echo 'not expected', PHP_EOL;
} catch (\Throwable $e) {
    // The sandbox knows no such order.
    echo 'refused: ', $e->getMessage(), PHP_EOL;
}
