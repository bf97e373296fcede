<?php
class Engine { public $power = 1; public function tune($n) { $this->power += $n; } }
class Car
{
    private Engine $engine;
    public function __construct(Engine $engine) { $this->engine = $engine; }
    public function boost() { $this->engine->tune(5); }
}
$e = new Engine();
$car = new Car($e);
$car->boost();
echo $e->power, "\n";
