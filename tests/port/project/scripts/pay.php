<?php
require __DIR__ . '/../vendor/autoload.php';

use Shop\WeChat;

function titled($text)
{
    return "== $text";
}

$gateway = new WeChat();
$text = 'first';
echo titled($text), "\n";
echo json_encode($gateway->pay('1', 1250)), "\n";
echo json_encode($gateway->lines()), "\n";
