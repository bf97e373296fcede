<?php
function part0()
{
    $r = ['refund' => 50, 'total' => 100];
    if ($r['refund'] > $r['total']) {
        echo 'too much';
    } elseif ($r['refund'] == $r['total']) {
        echo 'full';
    } else {
        echo 'part', $r['total'] - $r['refund'];
    }
    $left = $r['total'] - '30.5';
    echo $left, json_encode($left);
}
part0();
echo "\n";
function part1()
{
    $ok = true && false || true;
    $x = true and false;
    echo $ok ? 1 : 0, $x ? 1 : 0;
    $y = !empty([0]) && 0 == '0';
    echo $y ? 'y' : 'n', (true xor true) ? 1 : 0, 5 & 3, 5 | 3, 5 ^ 3;
}
part1();
echo "\n";
function part2()
{
    echo 1 + 1 . '2', '3' + '4', '3' . '4', 2 * '3', '10' / '4', '7' % 3, -'5', 1.5 + '1.5', '0.1' + '0.2', 10 / 5, 7 / 2, 0 / 5, '5' * '5', 1e3 + 1;
}
part2();
echo "\n";
function part3()
{
    $v = '0';
    echo $v ? 't' : 'f', $v == false ? 't' : 'f', $v === false ? 't' : 'f', empty($v) ? 't' : 'f', isset($v) ? 't' : 'f', is_null($v) ? 't' : 'f', $v ?? 'd', $v ?: 'e', (bool) $v ? 't' : 'f', !$v ? 't' : 'f', $v == 0 ? 't' : 'f', $v == '' ? 't' : 'f', $v == null ? 't' : 'f';
}
part3();
echo "\n";
