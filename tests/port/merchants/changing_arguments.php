<?php
// Arguments that change the object which their call uses.
class Cart
{
    public $items = [];
    private $added = 0;

    public function add($item)
    {
        $this->items[] = $item;
        $this->added++;
        return $item;
    }

    public function number()
    {
        return $this->added;
    }

    public function pair($one, $other)
    {
        return $this->add($one) . '+' . $this->add($other);
    }
}

class Shop
{
    private Cart $cart;
    private $count = 0;
    private $name = 'n';
    private $list = [];

    public function __construct()
    {
        $this->cart = new Cart();
    }

    private function next()
    {
        $this->count++;
        $this->name .= 'x';
        $this->list[] = $this->count;
        return 'i' . $this->count;
    }

    private function keep($item)
    {
        $this->list[] = $item;
        return $item;
    }

    public function run()
    {
        $this->cart->add($this->next());
        $this->cart->add($this->cart->add($this->next()));
        echo $this->keep($this->keep('k')), $this->keep(count($this->list)), "\n";
        echo $this->count . $this->next() . $this->count . $this->name . $this->next(), "\n";
        echo $this->count + strlen($this->next()) + $this->count, "\n";
        echo "{$this->count} {$this->next()} {$this->name}\n";
        if ($this->name . $this->next() === $this->name || $this->count < strlen($this->next())) {
            echo "same\n";
        }
        if ($this->list == [$this->next()] || $this->count == 9 && $this->next() == 'i10') {
            echo "ten\n";
        }
        $all = ['a' => $this->count, 'b' => $this->next(), 'c' => $this->name, 'd' => $this->list];
        return json_encode($all) . $this->cart->number() . json_encode($this->cart->items);
    }
}

function shown(Cart $cart, $item, $count)
{
    return count($cart->items) . $item . $count;
}

$cart = new Cart();
$cart->add($cart->add('a'));
$cart->add($cart->number());
$cart->add($cart->items);
echo $cart->pair($cart->number(), $cart->add('b')), "\n";
echo $cart->number() . $cart->add('c') . $cart->number(), "\n";
echo json_encode($cart->items) . $cart->add('d') . count($cart->items), "\n";
echo shown($cart, $cart->add('e'), $cart->number()), "\n";
echo $cart->items == [$cart->add('f')] ? 'same' : 'other', "\n";
echo json_encode([$cart->items, $cart->add('g'), $cart->number()]), "\n";
$shop = new Shop();
echo $shop->run(), "\n";
