<?php
use WeChatPay\Crypto\Hash;
use WeChatPay\Util\PemUtil;

function call($instance, string $method, $path, array $json)
{
    return $instance->chain($path)->$method(['json' => $json])->getStatusCode();
}

function signs(string $text, string $secret)
{
    return [Hash::md5($text, $secret, '1') === Hash::md5($text, $secret, true), Hash::md5($text, $secret, 0) === Hash::md5($text, $secret)];
}

echo json_encode(signs('a=b', 'secret')), "\n";
