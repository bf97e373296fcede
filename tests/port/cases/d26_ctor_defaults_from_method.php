<?php
class CD { private $a = 1; private $b; private $c = []; public function __construct($x) { $this->b = $this->calc($x); $this->c[] = $this->b; $this->a = $this->b + 1; } private function calc($x) { return $x * 2 + $this->a; } public function s() { return json_encode([$this->a, $this->b, $this->c]); } }
echo (new CD(4))->s(), "\n";
