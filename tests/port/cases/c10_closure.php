<?php
class Calc
{
    private $factor = 3;
    public function scale(array $list)
    {
        $out = [];
        $f = function ($x) { return $x * $this->factor; };
        foreach ($list as $x) {
            $out[] = $f($x);
        }
        return $out;
    }
    public function grow() { $g = function () { $this->factor++; }; $g(); return $this->factor; }
}
$c = new Calc();
echo json_encode($c->scale([1, 2])), "\n";
echo $c->grow(), "\n";
