<?php
// Null and other values where PHP requires an array.
function total(array $amounts)
{
    return count($amounts);
}

function maybe(array $list = null)
{
    return $list === null ? 'null' : count($list);
}

function nullable(?array $list)
{
    return $list === null ? 'null' : count($list);
}

function result($value): array
{
    return $value;
}

function both(array $one, array $other): array
{
    $one['other'] = count($other);
    return $one;
}

function printed($text)
{
    echo $text, ' ';
    return $text;
}

class Orders
{
    private array $list = [];
    public array $rest;
    public static array $shared = [];

    public function __construct(array $rest = [], private array $more = [])
    {
        $this->rest = $rest;
    }

    public function set($list)
    {
        $this->list = $list;
        return count($this->list) + count($this->more);
    }

    public function add(array $order)
    {
        $this->list[] = $order;
        return $this->set($this->list);
    }
}

$data = json_decode('{"none":null,"list":[1],"text":"a"}', true);
echo total([1, 2]), total($data), total($data['list']), maybe(), maybe(null), nullable(null), "\n";
echo json_encode(both(['a' => 1], result($data))), count(result([])), "\n";
foreach (['none', 'text'] as $key) {
    try {
        echo total($data[$key]);
    } catch (\Error $e) {
        echo "type\n";
    }
    try {
        echo count(result($data[$key]));
    } catch (\Error $e) {
        echo "type\n";
    }
    try {
        echo json_encode(both($data[$key], [printed('first')]));
    } catch (\Error $e) {
        echo "type\n";
    }
    try {
        $orders = new Orders($data[$key]);
    } catch (\Error $e) {
        echo "type\n";
    }
    try {
        $orders = new Orders([], $data[$key]);
    } catch (\Error $e) {
        echo "type\n";
    }
    try {
        Orders::$shared = $data[$key];
    } catch (\Error $e) {
        echo "type\n";
    }
}
$orders = new Orders($data['list']);
echo $orders->set([1, 2, 3]), $orders->add([1]), count($orders->rest), count(Orders::$shared), "\n";
try {
    echo $orders->set($data['none']);
} catch (\Error $e) {
    echo "type\n";
}
try {
    $orders->rest = $data['text'];
} catch (\Error $e) {
    echo "type\n";
}
echo $orders->add([]), count($orders->rest), "\n";
