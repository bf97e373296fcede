<?php
function part0()
{
    echo 'Total: ' . 5 + 3;
}
part0();
echo "\n";
function part1()
{
    echo "x" . 1 + 2 . "\n";
}
part1();
echo "\n";
function part2()
{
    $arr = ['a' => ['b' => null]];
    echo isset($arr['a']['b']) ? 1 : 0, array_key_exists('b', $arr['a']) ? 1 : 0, empty($arr['a']['b']) ? 1 : 0, is_null($arr['a']['b']) ? 1 : 0;
}
part2();
echo "\n";
function part3()
{
    echo PHP_EOL === "\n" ? 'nl' : 'other', M_PI, ' ', true ? 'a' : 'b', ' ', null ?? 'z', ' ', 0 ?: 'zero', ' ', '0' ?: 'str0', ' ', '' ?: 'empty', ' ', [] ? 'arr' : 'noarr';
}
part3();
echo "\n";
function part4()
{
    $v = 5;
    $g = fn ($x) => $x + $v;
    $v = 100;
    echo $g(1);
}
part4();
echo "\n";
