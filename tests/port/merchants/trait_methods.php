<?php
trait Hello { private function secret() { return 'trait'; } public function hi() { return 'hi ' . $this->secret(); } }
class Base { use Hello; public function run() { return $this->secret(); } }
class Child extends Base { public function secret2() { return 'x'; } private function secret() { return 'child'; } public function hi() { return 'child ' . parent::hi(); } public function own() { return $this->secret(); } }
$c = new Child(); echo $c->hi(), ' ', $c->run(), ' ', $c->own(), "\n";
trait Price { public function price() { return 1; } public function total() { return $this->price() + 10; } }
class Item { use Price; public function price() { return 2; } }
class Special extends Item { public function price() { return parent::price() + 100; } }
class Other extends Special { use Price; }
echo (new Item())->total(), ' ', (new Special())->total(), ' ', (new Other())->total(), "\n";
