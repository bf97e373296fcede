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
    'base_uri' => '@BASE_URI@',
]);
// The APIv3 key, for notifications: @APIV3_KEY@
