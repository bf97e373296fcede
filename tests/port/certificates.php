<?php
// Getting started, after the README of wechatpay-php (Apache-2.0): keys from files, the client, one call.

require_once('vendor/autoload.php');

use WeChatPay\Builder;
use WeChatPay\Crypto\Rsa;
use WeChatPay\Util\PemUtil;

// 商户号
$merchantId = '1900000109';

// The merchant's private key, which signs.
$merchantPrivateKeyFilePath = 'file:///path/to/merchant/apiclient_key.pem';
$merchantPrivateKeyInstance = Rsa::from($merchantPrivateKeyFilePath, Rsa::KEY_TYPE_PRIVATE);

// The serial number of the merchant's certificate.
$merchantCertificateSerial = '3775B6A45ACD588826D15E583A95F5DDC0FFEE00';

// 平台证书, which verifies the answers, and its serial number.
$platformCertificateFilePath = 'file:///path/to/wechatpay/cert.pem';
$platformPublicKeyInstance = Rsa::from($platformCertificateFilePath, Rsa::KEY_TYPE_PUBLIC);
$platformCertificateSerial = PemUtil::parseCertificateSerialNo($platformCertificateFilePath);

$instance = Builder::factory([
    'mchid'      => $merchantId,
    'serial'     => $merchantCertificateSerial,
    'privateKey' => $merchantPrivateKeyInstance,
    'certs'      => [
        $platformCertificateSerial => $platformPublicKeyInstance,
    ],
    'base_uri'   => getenv('WXPAY_BASE_URI'),
    // 'secret' => 'only for APIv2',
]);

$resp = $instance->chain('v3/certificates')->get(
    ['debug' => false] // true shows what is sent
);
echo $resp->getBody(), PHP_EOL;
