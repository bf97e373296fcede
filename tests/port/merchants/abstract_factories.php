<?php
abstract class Model {
    public function __construct(protected string $number = 'none') {}
    public static function of(string $number): static { return new static($number); }
    public static function one() { return new static('one'); }
    public function number() { return static::class . ' ' . $this->number; }
}
class Order extends Model {}
class Refund extends Model { public function number() { return 'R' . $this->number; } }
echo Order::of('a')->number(), ' ', Refund::of('b')->number(), ' ', Refund::one()->number(), ' ', (new Order())->number(), "\n";
