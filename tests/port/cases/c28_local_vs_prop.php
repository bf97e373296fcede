<?php
class L
{
    private $amount = 1;
    public function __construct($amount, $rate) { $rate = $rate * 2; $this->amount = $amount * $rate; $amount = 0; $this->amount += $amount + 1; }
    public function f($amount) { $total = $this->amount + $amount; $amount = 100; $this->amount = $total; return [$total, $amount, $this->amount]; }
}
$l = new L(2, 3);
echo json_encode($l->f(4)), json_encode($l->f(1)), "\n";
