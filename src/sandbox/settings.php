<?php
// The merchant of the local sandbox, for wechatpay/wechatpay. Run: php -r '$instance = require "settings.php"; ...'
require_once 'vendor/autoload.php';

return WeChatPay\Builder::factory([
    'mchid' => '@MCHID@',
    'serial' => '@SERIAL@',
    'privateKey' => WeChatPay\Crypto\Rsa::from('file://@PRIVATE_KEY@', WeChatPay\Crypto\Rsa::KEY_TYPE_PRIVATE),
    'certs' => [
        '@PUBLIC_KEY_ID@' => WeChatPay\Crypto\Rsa::from('file://@PUBLIC_KEY@', WeChatPay\Crypto\Rsa::KEY_TYPE_PUBLIC),
        '@CERT_SERIAL@' => WeChatPay\Crypto\Rsa::from('file://@CERT@', WeChatPay\Crypto\Rsa::KEY_TYPE_PUBLIC),
    ],
    'secret' => '@SECRET@',
    // The client certificate, for calls of APIv2 with 'security' => true. It is presented over TLS only.
    'merchant' => ['cert' => '@MERCHANT_CERT@', 'key' => '@PRIVATE_KEY@'],
    'base_uri' => '@TLS_BASE_URI@',
    'verify' => '@ROOT_CERT@',
]);
// The APIv3 key, for notifications: @APIV3_KEY@
