<?php
function part0()
{
    $bad = json_decode('{bad', true);
    echo $bad === null ? 'null' : 'no';
}
part0();
echo "\n";
function f($a, $b = []) {
    return json_encode([$a, $b]);
}
 echo f(1), f([], ['x']), f(null, null);
echo "\n";
function part2()
{
    $s = 'a9';
    $s++;
    echo $s, "\n";
}
part2();
echo "\n";
function part3()
{
    $n = '9';
    $n++;
    echo json_encode($n);
    $f = '1.5';
    $f++;
    echo json_encode($f);
    $x = null;
    $x++;
    echo json_encode($x);
}
part3();
echo "\n";
function part4()
{
    $z = '5 apples';
    echo (int) $z, (float) $z, $z == 5 ? 'eq' : 'ne', '5' == '5.0' ? 'eq' : 'ne', 'abc' == 'ABC' ? 'eq' : 'ne', null == 0 ? 'eq' : 'ne', '' == 0 ? 'eq' : 'ne', 'a' == 0 ? 'eq' : 'ne', '1' == ' 1' ? 'eq' : 'ne', '1 ' == 1 ? 'eq' : 'ne';
}
part4();
echo "\n";
