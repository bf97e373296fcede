<?php
class Box { public $v = 1; public function set($v) { $this->v = $v; } public function get() { return $this->v; } }
function change(Box $b) { $b->set(7); }
$a = new Box();
change($a);
echo $a->get(), "\n";
