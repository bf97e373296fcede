<?php
class Engine { public $power = 1; public function tune($n) { $this->power += $n; return $this; } }
class Car
{
    private Engine $engine;
    private $log = '';
    public function __construct(Engine $engine) { $this->engine = $engine; }
    public function boost() { $this->engine->tune(5); $this->log .= 'b'; return $this->engine->power . $this->log; }
}
$car = new Car(new Engine());
echo $car->boost(), $car->boost(), "\n";
