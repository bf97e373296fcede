<?php
class B1 { private $secret = 'base'; public function reveal() { return $this->secret; } private function hid() { return 'bh'; } public function call() { return $this->hid(); } }
class D1 extends B1 { private $secret = 'derived'; public function mine() { return $this->secret; } private function hid() { return 'dh'; } }
$d = new D1(); echo $d->reveal(), $d->mine(), $d->call(), "\n";
