<?php
// Sensitive fields, encrypted and decrypted, after the README of wechatpay-php (Apache-2.0).

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

// 做一个匿名方法，供后续方便使用
$encryptor = static function(string $msg) use ($platformPublicKeyInstance): string {
    return Rsa::encrypt($msg, $platformPublicKeyInstance);
};

$resp = $instance
->chain('v3/applyment4sub/applyment/')
->post([
    'json' => [
        'business_code' => 'APL_98761234',
        'contact_info'  => [
            'contact_name'      => $encryptor('张三'),
            'contact_id_number' => $encryptor('110102198001018888'),
            'mobile_phone'      => $encryptor('13000000000'),
            'contact_email'     => $encryptor('abc123@example.com'),
        ],
        //...
    ],
    'headers' => [
        'Wechatpay-Serial' => $platformPublicKeyId,
    ],
]);
$answer = json_decode($resp->getBody(), true);
echo $answer['applyment_id'], PHP_EOL;

// What the service encrypted for the merchant.
$merchantPrivateKeyInstance = Rsa::from('file:///path/to/merchant/apiclient_key.pem');
echo Rsa::decrypt($answer['contact_name'], $merchantPrivateKeyInstance), PHP_EOL;
