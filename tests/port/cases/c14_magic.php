<?php
class M
{
    private $data = ['a' => 1];
    public function __get($name) { return $this->data[$name] ?? 'none'; }
    public function __call($name, $args) { return $name . count($args); }
}
$m = new M();
echo $m->a, $m->b, $m->foo(1, 2), "\n";
