<?php
function part0()
{
    $m = ['b' => 1, 'B' => 2, 'a' => 3, '1' => 4, '' => 5];
    ksort($m);
    echo json_encode($m);
}
part0();
echo "\n";
function part1()
{
    switch (true) {
        case 5 > 3: echo 'yes';
        break;
        default: echo 'no';
    }
}
part1();
echo "\n";
function part2()
{
    $x = '0.0';
    if ($x) {
        echo 'truthy';
    } else {
        echo 'falsy';
    }
    if ('0') {
        echo 1;
    }
    if (0.0) {
        echo 2;
    }
    if ([]) {
        echo 3;
    }
    if ('false') {
        echo 4;
    }
    if (' ') {
        echo 5;
    }
}
part2();
echo "\n";
function part3()
{
    $total = '100';
    $paid = 100;
    echo $total === $paid ? 'same' : 'diff', $total == $paid ? 'eq' : 'ne', $total !== $paid ? 1 : 0;
    if ($total) {
        $total = $total + 1;
    }
    echo json_encode($total);
}
part3();
echo "\n";
function part4()
{
    $amount = 0.1 + 0.2;
    echo $amount == 0.3 ? 'eq' : 'ne', $amount, ' ', json_encode($amount), ' ', var_export($amount, true), ' ', round($amount, 2) == 0.3 ? 'eq' : 'ne', ' ', (string) $amount == '0.3' ? 'eq' : 'ne', ' ', 0.1 + 0.2 <=> 0.3;
}
part4();
echo "\n";
