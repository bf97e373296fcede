<?php
class P { public $x = 1; public function set($v) { $this->x = $v; return $this; } }
$a = new P(); $b = $a->set(2); $b->set(3); echo $a->x, $b->x, "\n";
