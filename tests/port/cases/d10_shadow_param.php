<?php
class S { private $name = 'p'; public function f($name) { $this->name .= $name; $name .= '!'; $g = function ($name) { return $this->name . $name; }; return $g('c') . $name . $this->name; } public static function make($name = 'd') { $s = new static(); return $s->f($name); } }
echo (new S())->f('x'), S::make(), "\n";
