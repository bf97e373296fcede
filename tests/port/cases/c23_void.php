<?php
class V
{
    public $n = 0;
    public function set($n): void { $this->n = $n; }
    public function maybe($n) { if ($n > 1) { return $n; } }
    public function none() { $this->n = 9; }
    public function both($x) { if ($x) { return ['a' => $x]; } return false; }
}
$v = new V();
$v->set(3);
echo $v->n, json_encode($v->maybe(1)), json_encode($v->maybe(2)), "\n";
$v->none();
echo $v->n, json_encode($v->both(0)), json_encode($v->both('k')), "\n";
if ($v->both(0) === false) { echo "false\n"; }
