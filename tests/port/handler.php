<?php
require_once 'vendor/autoload.php';

use WeChatPay\Crypto\Rsa;
use WeChatPay\Crypto\AesGcm;
use WeChatPay\Formatter;

$inWechatpaySignature = $_SERVER['HTTP_WECHATPAY_SIGNATURE'] ?? '';
$inWechatpayTimestamp = $_SERVER['HTTP_WECHATPAY_TIMESTAMP'] ?? '';
$inWechatpaySerial = $_SERVER['HTTP_WECHATPAY_SERIAL'] ?? '';
$inWechatpayNonce = $_SERVER['HTTP_WECHATPAY_NONCE'] ?? '';
$inBody = file_get_contents('php://input');

$apiv3Key = getenv('WXPAY_APIV3_KEY');

// 检查通知时间偏移量，允许5分钟之内的偏移
$timeOffsetStatus = 300 >= abs(Formatter::timestamp() - (int)$inWechatpayTimestamp);
$verifiedStatus = Rsa::verify(
    Formatter::joinedByLineFeed($inWechatpayTimestamp, $inWechatpayNonce, $inBody),
    $inWechatpaySignature,
    Rsa::from('file:///path/to/wechatpay/pub_key.pem', Rsa::KEY_TYPE_PUBLIC)
);
if (!$timeOffsetStatus || !$verifiedStatus) {
    http_response_code(401);
    exit('forged');
}
$inBodyArray = (array)json_decode($inBody, true);
['resource' => [
    'ciphertext'      => $ciphertext,
    'nonce'           => $nonce,
    'associated_data' => $aad
]] = $inBodyArray;
$resource = (array)json_decode(AesGcm::decrypt($ciphertext, $apiv3Key, $nonce, $aad), true);
if ($resource['trade_state'] !== 'SUCCESS') {
    header('Content-Type: application/json');
    echo json_encode(['code' => 'FAIL', 'message' => 'state']);
    exit;
}
header('Content-Type: application/json');
echo json_encode(['code' => 'SUCCESS', 'message' => '']);
