<?php
class Base { public function __construct(protected string $v = 'base', private ?int $n = null) {} public function show() { return $this->v . '/' . var_export($this->n, true); } }
class Child extends Base { public function __construct(public string $name) { parent::__construct($name . '!', 4); } }
class Same extends Base { public function __construct(string $v) { parent::__construct(); } }
class Early { public function __construct(public string $a, public int $b = 3) { if ($a === '') { return; } $this->b = 9; } }
class Calls { public function __construct(private string $a) { $this->init(); } private function init() { $this->a .= '+'; } public function get() { return $this->a; } }
class Up extends Calls { public function __construct() { parent::__construct('up'); } }
$c = new Child('a'); echo $c->show(), ' ', $c->name, "\n";
$s = new Same('own'); echo $s->show(), "\n";
$e = new Early(''); echo $e->a, $e->b, "\n";
$f = new Early('x', 5); echo $f->a, $f->b, "\n";
$g = new Calls('q'); echo $g->get(), "\n";
$h = new Up(); echo $h->get(), "\n";
trait Named { public function __construct(public string $label) { $label .= '!'; $this->label .= '?'; } }
class Shop { use Named; }
class Branch extends Shop { public function __construct(public string $city) { parent::__construct($city . ' branch'); } }
echo (new Shop('a'))->label, ' ', (new Branch('b'))->label, "\n";
