<?php
function part0()
{
    $s = 'single \n \' \\ $x';
    echo $s, strlen($s);
}
part0();
echo "\n";
function part1()
{
    $x = null;
    echo $x . 'a', $x + 1, "[$x]", $x ?? 'd', (int) $x, $x == '' ? 1 : 0, $x === '' ? 1 : 0, strlen((string) $x);
}
part1();
echo "\n";
function part2()
{
    echo 7 <=> 5, '7' <=> '10', 'a' <=> 'A', null <=> false, [] <=> [1], true <=> false, 1.0 <=> 1;
}
part2();
echo "\n";
function part3()
{
    echo true . '', false . '|', null . '|', 1.0 . '|', 0.1 . '|', 1e6 . '|', 1e15 . '|', 123456789012345678 . '|', -0.0 . '|', 1.10 . '|', 100000000000000000000.0;
}
part3();
echo "\n";
