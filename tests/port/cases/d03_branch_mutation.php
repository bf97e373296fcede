<?php
class C { public $v = null; public $w; public function set($x) { if ($x > 1) { $this->v = $x; } elseif ($x === 0) { $this->w = ['z' => $x]; } else { $this->v = 'none'; } return $this; } public function get() { return [$this->v, $this->w]; } }
$c = new C();
echo json_encode($c->get()), json_encode($c->set(5)->get()), json_encode($c->set(0)->get()), json_encode($c->set(1)->get()), "\n";
