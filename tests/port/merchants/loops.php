<?php
function part0()
{
    echo intdiv(7, 2), 7 % 3, -7 % 3, ' ', 7 / 2, ' ', 6 / 2;
}
part0();
echo "\n";
function part1()
{
    echo round(1234.5678, 2), ' ', round(-1.005, 2), ' ', round(0.285, 2), ' ', round(1.0000001, 7), ' ', round(99999999999.995, 2), ' ', round(1e15 + 0.3, 1), ' ', round(0.5), round(-0.4), ' ', round(12345678901234567, -2);
}
part1();
echo "\n";
function part2()
{
    $list = [];
    for ($i = 0; $i < 3; $i++) {
        $list['k' . $i] = $i * 1.5;
    }
    echo json_encode($list), $i, "\n";
}
part2();
echo "\n";
function part3()
{
    $sum = 0;
    foreach (['a' => 1, 'b' => 1.5] as $v) {
        if ($v == 1.5) continue;
        $sum += $v;
    }
    echo $sum;
}
part3();
echo "\n";
function part4()
{
    $i = 2;
    do {
        $i++;
    } while ($i < 5);
    echo $i, "\n";
}
part4();
echo "\n";
