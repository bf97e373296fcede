<?php
class A { public $list = [1]; public $o; public function __construct() { $this->o = $this->list; $this->list[] = 2; } public function all() { $l = $this->list; $l[] = 9; return [$this->o, $this->list, $l]; } }
echo json_encode((new A())->all()), "\n";
