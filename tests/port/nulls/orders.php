<?php

require 'vendor/autoload.php';

use app\model\Order;

function not($id)
{
    $order = Order::byNot($id);
    if (!$order) {
        return 'no order';
    }
    return $order->no();
}

function condition($id)
{
    $order = Order::byCondition($id);
    if ($order) {
        throw new \Exception('order ' . $order->no());
    }
    return 'accepted';
}

function isEmpty($id)
{
    $order = Order::query('id')->byEmpty($id);
    if (empty($order)) {
        return 'no order';
    }
    return $order->no();
}

function notEmpty($id)
{
    $order = Order::byNotEmpty($id);
    return !empty($order) ? $order->no() : 'no order';
}

function isSet_($id)
{
    $order = Order::byIsset($id);
    if (isset($order)) {
        return $order->no();
    }
    return 'no order';
}

function isNull($id)
{
    $order = Order::byIsNull($id);
    if (is_null($order)) {
        return 'no order';
    }
    return $order->no();
}

function identical($id)
{
    $order = Order::byIdentical($id);
    if ($order === null || $order->no() === '') {
        return 'no order';
    }
    return $order->no();
}

function different($id)
{
    $order = Order::byDifferent($id);
    return null !== $order && $order->no() !== '' ? $order->no() : 'no order';
}

function equal($id)
{
    $order = Order::byEqual($id);
    if ($order == null) {
        return 'no order';
    }
    return $order->no();
}

function both($id)
{
    $order = Order::byBoth($id);
    return $order && $order->no() ? 'order' : 'no order';
}

function nullsafe($id)
{
    $order = Order::byNullsafe($id);
    $no = $order?->no();
    return $no === null ? 'no order' : $no;
}

function coalesced($id)
{
    $order = Order::byCoalesced($id);
    $found = $order ?? null;
    return $found === null ? 'no order' : $order->no();
}

function asBool($id)
{
    $order = Order::byBool($id);
    $order && $order->no();
    return (bool) $order;
}

function direct($id)
{
    if (!Order::byDirect($id)) {
        return 'no order';
    }
    return Order::byDirect($id)->no();
}

function lookup($id)
{
    $order = Order::byFunction($id);
    $order?->no();
    return $order;
}

function fromFunction($id)
{
    $order = lookup($id);
    if (!$order) {
        return 'no order';
    }
    return $order->no();
}

function copied($id)
{
    $order = Order::byCopy($id);
    $same = $order;
    if (!$order) {
        return 'no order';
    }
    return $same->no();
}

function untested($id)
{
    return Order::byNothing($id)->no();
}

function used($id)
{
    $order = Order::byUse($id);
    try {
        $no = $order->no();
    } catch (\Throwable $e) {
        return 'an error';
    }
    return $order === null ? 'no order' : $no;
}

class Desk
{
    private $order;
    private $last;

    public function __construct($id)
    {
        $this->last = Order::byConstructor($id);
    }

    public function load($id)
    {
        $this->order = Order::byProperty($id);
    }

    public function no()
    {
        if (!$this->order) {
            return 'no order';
        }
        return $this->order->no();
    }

    public function last()
    {
        return $this->last ? $this->last->no() : 'no last order';
    }

    public function declared(?Order $order)
    {
        if ($order === null) {
            return 'no order';
        }
        return $order->no();
    }

    public function safe(?Order $order)
    {
        return $order?->no() ?? 'no order';
    }

    public function given($id)
    {
        return $this->declared(Order::byArgument($id)) . ', ' . $this->safe(Order::byOther($id));
    }
}

foreach ([1, 0] as $id) {
    try {
        echo condition($id), "\n";
    } catch (\Exception $e) {
        echo $e->getMessage(), "\n";
    }
    echo not($id), ', ', isEmpty($id), ', ', notEmpty($id), ', ', isSet_($id), ', ', isNull($id), "\n";
    echo identical($id), ', ', different($id), ', ', equal($id), ', ', both($id), "\n";
    echo nullsafe($id), ', ', coalesced($id), ', ', json_encode(asBool($id)), ', ', direct($id), "\n";
    echo fromFunction($id), ', ', copied($id), ', ', untested(1), ', ', used($id), "\n";
    $desk = new Desk($id);
    echo $desk->no(), ', ';
    $desk->load($id);
    echo $desk->no(), ', ', $desk->last(), ', ', $desk->given($id), "\n";
}
