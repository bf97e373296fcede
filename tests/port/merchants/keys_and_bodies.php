<?php
function part0()
{
    $q = 'a=1&b=2';
    $pairs = [];
    foreach (explode('&', $q) as $kv) {
        [$k, $v] = explode('=', $kv);
        $pairs[$k] = $v;
    }
    echo json_encode($pairs), $pairs['a'] + $pairs['b'];
}
part0();
echo "\n";
function part1()
{
    $status = null;
    $text = $status == 'SUCCESS' ? 'paid' : ($status === null ? 'unknown' : 'other');
    echo $text;
    $map = ['SUCCESS' => 1, 'REFUND' => 2];
    echo $map[$status ?? 'REFUND'] ?? 0, isset($map['X']) ? 1 : 0, array_key_exists('SUCCESS', $map) ? 'k' : 'n';
}
part1();
echo "\n";
function part2()
{
    $i = '5';
    $i += 1.5;
    echo $i;
    $j = '5';
    $j .= 1;
    echo $j;
    $k = null;
    $k .= 'x';
    echo $k;
    $l = null;
    $l += 5;
    echo $l;
    $m = true;
    $m += 1;
    echo $m;
    $n = '1e2';
    $n *= 1;
    echo json_encode($n);
}
part2();
echo "\n";
function part3()
{
    $a = [];
    $a['x']['y'][] = 1;
    $a['x']['y'][] = 2;
    $a['x']['z'] ??= 3;
    $a['n'] = ($a['n'] ?? 0) + 1;
    echo json_encode($a);
    $b['new']['deep'] = 1;
    echo json_encode($b);
}
part3();
echo "\n";
