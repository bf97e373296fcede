<?php
namespace Shop\Pay;

/** An order. */
class Order
{
    const CURRENCY = 'CNY';
    const LIMITS = ['min' => 1, 'max' => 500];
    /** the number */
    private string $number;
    public int $total = 0;
    protected array $items = [];
    public $note;

    public function __construct(string $number, $total = 5)
    {
        $this->number = $number;
        $this->total = $total;
    }

    public function add(string $name, int $price): self
    {
        $this->items[] = ['name' => $name, 'price' => $price];
        $this->total += $price;
        return $this;
    }

    public function describe(): string
    {
        return "{$this->number}: $this->total " . self::CURRENCY . ' ' . count($this->items);
    }

    public function limits(): array
    {
        return static::LIMITS;
    }

    public static function of(string $number): Order
    {
        return new self($number);
    }
}

$order = new Order('A1');
$order->add('x', 3)->add('y', 4);
echo $order->describe(), "\n";
echo json_encode($order->limits()), "\n";
$other = Order::of('B');
$other->note = 'hi';
echo $other->describe(), ' ', $other->note, ' ', Order::CURRENCY, "\n";
echo $order->note === null ? 'none' : 'some', "\n";
