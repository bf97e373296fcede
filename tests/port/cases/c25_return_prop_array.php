<?php
class R
{
    private $data = ['a' => ['b' => 1]];
    public function data() { return $this->data; }
    public function touch() { $d = $this->data; $d['a']['b'] = 2; $e = $this->data(); $e['z'] = 1; return [$this->data, $d, $e]; }
}
$r = new R();
echo json_encode($r->touch()), "\n";
$x = $r->data(); $x['a'] = 0; echo json_encode($r->data()), "\n";
