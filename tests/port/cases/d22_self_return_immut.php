<?php
class V { private $x; public function __construct($x = 0) { $this->x = $x; } public function with($x): self { return new self($x); } public function same() { return $this; } public function x() { return $this->x; } }
$v = new V(1); $w = $v->same(); $z = $v->with(5); echo $v->x(), $w->x(), $z->x(), "\n";
