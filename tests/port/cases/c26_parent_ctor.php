<?php
class Base { protected $id; public $tag = 't'; public function __construct($id) { $this->id = $id; } public function id() { return $this->id; } }
class Sub extends Base { private $name; public function __construct($id, $name) { parent::__construct($id * 2); $this->name = $name; } public function f() { return $this->id() . $this->name . $this->tag; } }
class Plain extends Base {}
$s = new Sub(2, 'n');
echo $s->f(), "\n";
$p = new Plain(8);
echo $p->id(), "\n";
