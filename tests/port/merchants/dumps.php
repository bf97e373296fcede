<?php
function part0()
{
    var_dump(1.5e100, 'two');
}
part0();
echo "\n";
function part1()
{
    var_dump(1e15, 123456789012345678.0);
}
part1();
echo "\n";
function part2()
{
    var_dump([5 => 'a', 'x' => ['y' => false]]);
}
part2();
echo "\n";
function part3()
{
    $a = ['1' => 'a'];
    $b = [1 => 'a'];
    echo $a == $b ? 1 : 0, $a === $b ? 1 : 0;
}
part3();
echo "\n";
function part4()
{
    echo [1, 2] == [2 => 1] ? 1 : 0, ['a' => 1, 'b' => 2] == ['b' => 2, 'a' => 1] ? 1 : 0, ['a' => 1, 'b' => 2] === ['b' => 2, 'a' => 1] ? 1 : 0;
}
part4();
echo "\n";
