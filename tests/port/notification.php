<?php
// A notification of APIv3, verified and opened by hand, after the README of wechatpay-php (Apache-2.0).

use WeChatPay\Crypto\Rsa;
use WeChatPay\Crypto\AesGcm;
use WeChatPay\Formatter;

$inWechatpaySignature = getenv('HTTP_WECHATPAY_SIGNATURE');
$inWechatpayTimestamp = getenv('HTTP_WECHATPAY_TIMESTAMP');
$inWechatpayNonce = getenv('HTTP_WECHATPAY_NONCE');
$inBody = file_get_contents('/path/to/notification.json');

$apiv3Key = getenv('WXPAY_APIV3_KEY');// 在商户平台上设置的APIv3密钥

$platformPublicKeyInstance = Rsa::from('file:///path/to/wechatpay/pub_key.pem', Rsa::KEY_TYPE_PUBLIC);

// 检查通知时间偏移量，允许5分钟之内的偏移
$timeOffsetStatus = 300 >= abs(Formatter::timestamp() - (int)$inWechatpayTimestamp);
$verifiedStatus = Rsa::verify(
    // 构造验签名串
    Formatter::joinedByLineFeed($inWechatpayTimestamp, $inWechatpayNonce, $inBody),
    $inWechatpaySignature,
    $platformPublicKeyInstance
);
if ($timeOffsetStatus && $verifiedStatus) {
    // 转换通知的JSON文本消息为PHP Array数组
    $inBodyArray = (array)json_decode($inBody, true);
    // 使用PHP7的数据解构语法，从Array中解构并赋值变量
    ['resource' => [
        'ciphertext'      => $ciphertext,
        'nonce'           => $nonce,
        'associated_data' => $aad
    ]] = $inBodyArray;
    // 加密文本消息解密
    $inBodyResource = AesGcm::decrypt($ciphertext, $apiv3Key, $nonce, $aad);
    // 把解密后的文本转换为PHP Array数组
    $inBodyResourceArray = (array)json_decode($inBodyResource, true);
    print_r($inBodyResourceArray);// 打印解密后的结果
} else {
    echo 'forged', PHP_EOL;
}
