<?php
function part0()
{
    list($a, list(, $b)) = [1, [2, 3]];
    [$x, $y] = [$b, $a];
    echo $a, $b, $x, $y, "\n";
    [$x, $y] = [$y, $x];
    echo $x, $y, "\n";
}
part0();
echo "\n";
function part1()
{
    echo ucfirst('é'), strtoupper('é'), strtolower('ÀB');
}
part1();
echo "\n";
function part2()
{
    $m = 'SUCCESS';
    echo match (true) {
        $m === 'SUCCESS' => 'ok', default => 'no'
    }, "\n";
}
part2();
echo "\n";
function part3()
{
    echo is_numeric('1e5') ? 'y' : 'n', is_numeric('1,5') ? 'y' : 'n', is_int('5') ? 'y' : 'n', ctype_digit('123') ? 'y' : 'n', is_numeric(' 5') ? 'y' : 'n', is_numeric('5 ') ? 'y' : 'n', is_numeric('.5') ? 'y' : 'n', is_numeric('') ? 'y' : 'n', is_numeric('0x1A') ? 'y' : 'n';
}
part3();
echo "\n";
function part4()
{
    echo (string) false, '|', (string) null, '|', strval(1.10), '|', ((bool) '0') ? 't' : 'f', '|', ((bool) '0.0') ? 't' : 'f';
}
part4();
echo "\n";
