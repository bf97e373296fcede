<?php
function part0()
{
    $v = 5;
    $h = function ($x) use ($v) {
        return $x + $v;
    };
    $v = 100;
    echo $h(1);
}
part0();
echo "\n";
const FEE = 0.006;
 define('RATE', 2);
 echo FEE * 100, RATE;
echo "\n";
function part2()
{
    echo ceil(4.000000001), floor(-4.5), ceil(-0.5), ' ', floor(5), ' ', ceil('4.2');
}
part2();
echo "\n";
function part3()
{
    echo array_sum([]), ' ', array_sum([0.1, 0.2]), ' ', count([]), ' ', max([]) ?? 1;
}
part3();
echo "\n";
function part4()
{
    echo implode(',', [1, null, true, false, 1.0, 'x']), implode('', []), implode(', ', ['a' => 1, 'b' => 2]);
}
part4();
echo "\n";
