<?php
class I
{
    public $a = ['k' => 'v', 3 => 't'];
    public $b = 'x';
    public $o = 7;
    public function f() { return "$this->b-{$this->a['k']}-$this->o.{$this->o}"; }
    public function g() { return "$this->b[0] and {$this->b}[0]"; }
}
$i = new I();
echo $i->f(), "\n";
echo $i->g(), "\n";
