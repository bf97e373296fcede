<?php
// A video and a picture, after the README of wechatpay-php (Apache-2.0).

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

use WeChatPay\Util\MediaUtil;

// 实例化一个媒体文件流，注意文件后缀名需符合接口要求
$media = new MediaUtil('/path/to/video.mp4');

try {
    $resp = $instance['v3/merchant/media/video_upload']
    ->post([
        'body'    => $media->getStream(),
        'headers' => [
            'content-type' => $media->getContentType(),
        ]
    ]);
    echo $resp->getStatusCode(), PHP_EOL;
} catch (\Exception $e) {
    echo $e->getMessage(), PHP_EOL;
}

$media = new MediaUtil('/path/to/image.jpg');
$resp = $instance
->v3->merchantService->images->upload
->postAsync([
    'body'    => $media->getStream(),
    'headers' => [
        'Content-Type' => $media->getContentType(),
    ]
])
->then(static function($response) {
    echo $response->getStatusCode(), PHP_EOL;
    return $response;
})
->wait();
$mediaId = json_decode($resp->getBody()->getContents(), true)['media_id'];
echo strlen($mediaId) > 0 ? 'uploaded' : 'nothing', PHP_EOL;

// What was uploaded, into a file.
$instance->v3->merchantService->images->_media_id_->get([
    'media_id' => $mediaId,
    'sink'     => '/path/to/saved.jpg',
]);
