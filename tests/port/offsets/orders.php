<?php

require 'vendor/autoload.php';

use app\model\Order;

function key_of($key)
{
    echo "key $key\n";
    return $key;
}

function asked(Order $order, $key)
{
    echo isset($order['no']) ? "yes\n" : "no\n";
    echo isset($order['nothing']) ? "yes\n" : "no\n";
    echo isset($order['none']) ? "yes\n" : "no\n";
    echo isset($order[$key], $order['none'], $order['zero']) ? "yes\n" : "no\n";
    echo isset($order['list']['b']) ? "yes\n" : "no\n";
    echo isset($order['none']['b']) ? "yes\n" : "no\n";
    echo isset($order[key_of('no')]) ? "yes\n" : "no\n";
    echo empty($order['no']) ? "yes\n" : "no\n";
    echo empty($order['zero']) ? "yes\n" : "no\n";
    echo empty($order['none']) ? "yes\n" : "no\n";
    if (!isset($order['none']) && !empty($order['no'])) {
        echo "both\n";
    }
}

function other(Order $order)
{
    echo $order['no'] ?? 'other', "\n";
    echo $order['nothing'] ?? 'other', "\n";
    echo $order['none'] ?? 'other', "\n";
    echo $order['list']['b'] ?? 'other', "\n";
    echo $order['list']['c'] ?? key_of('c'), "\n";
    echo $order['no'], $order['zero'], "\n";
}

function changed(Order $order)
{
    $order['status'] = 'paid';
    $order['status'] = key_of('closed');
    $order[key_of('a')] = key_of('b');
    $order['no'] .= 'x';
    $order['no'] .= key_of('y');
    $order['zero'] += 2;
    $order['zero'] ??= key_of('unused');
    $order['new'] ??= key_of('used');
    $order[] = ['last' => true];
    $total = $order['zero'] + 1;
    unset($order['status']);
    echo $order['no'], ' ', $order['zero'], ' ', $total, ' ', $order['new'], "\n";
    echo isset($order['status']) ? "yes\n" : "no\n";
}

$order = new Order();
asked($order, 'zero');
other($order);
changed($order);
