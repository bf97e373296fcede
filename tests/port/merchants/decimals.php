<?php
function part0()
{
    $t = 0;
    foreach (['0.1', '0.2', '19.99'] as $p) {
        $t = bcadd($t, $p, 2);
    }
    echo $t, ' ', bcmul($t, 100, 0), ' ', bcadd(0.1, 1.5, 1), ' ', bcmul(12.5, '2', 2), "\n";
}
part0();
echo "\n";
function part1()
{
    echo bcadd(1e-7, '1', 10);
}
part1();
echo "\n";
function part2()
{
    echo bcmul('0.1', 0.00001, 8);
}
part2();
echo "\n";
function part3()
{
    $a = '12';
    $a .= 3;
    $a += 1;
    echo $a;
    $b = 10;
    $b /= 4;
    echo $b;
    $c = 7;
    $c %= 4;
    echo $c;
    $d = 2;
    $d **= 3;
    echo $d;
    $e = 'x';
    $e .= 1.0;
    echo $e;
}
part3();
echo "\n";
function part4()
{
    $x = 07 + 0x1F + 0b11 + 1_000;
    echo $x;
}
part4();
echo "\n";
