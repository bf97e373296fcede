<?php
// A synchronous call and what goes wrong with it, after the README of wechatpay-php (Apache-2.0).

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

try {
    $resp = $instance
    ->chain('v3/pay/transactions/native')
    ->post(['json' => [
        'mchid'        => '1900000109',
        'out_trade_no' => 'native12177525012014070332333',
        'appid'        => 'wxdace645e0bc2c424',
        'description'  => 'Image形象店-深圳腾大-QQ公仔',
        'notify_url'   => 'https://example.com/',
        'amount'       => [
            'total'    => 1,
            'currency' => 'CNY'
        ],
    ]]);

    echo $resp->getStatusCode(), PHP_EOL;
    echo $resp->getBody(), PHP_EOL;
} catch (\Exception $e) {
    // 进行错误处理
    echo 'not expected: ', $e->getMessage(), PHP_EOL;
}

// The same number again with another amount: refused, and everything of the refusal is at hand.
try {
    $resp = $instance->v3->pay->transactions->native->post(['json' => [
        'mchid'        => '1900000109',
        'out_trade_no' => 'native12177525012014070332333',
        'appid'        => 'wxdace645e0bc2c424',
        'description'  => 'Image形象店-深圳腾大-QQ公仔',
        'notify_url'   => 'https://example.com/',
        'amount'       => ['total' => 2],
    ]]);
    echo 'not expected: ', $resp->getStatusCode(), PHP_EOL;
} catch (\Exception $e) {
    echo $e->getMessage(), PHP_EOL;
    if ($e instanceof \GuzzleHttp\Exception\RequestException && $e->hasResponse()) {
        $r = $e->getResponse();
        echo $r->getStatusCode() . ' ' . $r->getReasonPhrase(), PHP_EOL;
        echo $r->getBody(), PHP_EOL, PHP_EOL;
    }
}
