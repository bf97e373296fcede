<?php
class Box { public $v = 1; public function set($v) { $this->v = $v; } }
$a = new Box();
$b = $a;
$b->set(5);
echo $a->v, "\n";
