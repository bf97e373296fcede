<?php
class Dep { public function n() { return 'dep'; } }
class Use1 { private $d; public function __construct(?Dep $d = null) { $this->d = $d; } public function f() { return $this->d ? $this->d->n() : 'none'; } public function g() { return $this->d === null ? 'N' : 'D'; } }
echo (new Use1())->f(), (new Use1(new Dep()))->f(), (new Use1(null))->g(), "\n";
