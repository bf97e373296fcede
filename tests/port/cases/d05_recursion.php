<?php
class R { private $depth = 0; private $max = 0; public function go($n) { $this->depth++; if ($this->depth > $this->max) { $this->max = $this->depth; } $r = $n <= 0 ? 0 : $n + $this->go($n - 1); $this->depth--; return $r; } public function stats() { return "$this->depth/$this->max"; } }
$r = new R(); echo $r->go(4), ' ', $r->stats(), "\n";
