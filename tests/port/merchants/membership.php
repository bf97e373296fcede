<?php
function part0()
{
    $a = ['1' => 'a'];
    echo empty('0') ? 1 : 0, empty([]) ? 1 : 0, empty(0.0) ? 1 : 0, empty('a') ? 1 : 0, isset($a['1']) ? 1 : 0, isset($a['x']) ? 1 : 0, isset($zz) ? 1 : 0, $a['x'] ?? 'd';
}
part0();
echo "\n";
function part1()
{
    echo in_array('1e0', ['1']) ? 1 : 0, in_array('abc', [0]) ? 1 : 0, in_array(0, ['abc']) ? 1 : 0, in_array(null, [0]) ? 1 : 0;
}
part1();
echo "\n";
function part2()
{
    $a = ['1' => 'a'];
    echo array_key_exists('1', $a) ? 1 : 0, array_key_exists(1, $a) ? 1 : 0;
}
part2();
echo "\n";
function fen($yuan) {
    return (int) round($yuan * 100);
}
 foreach (['19.99', '0.1', '1e2', ' 5', '12.345', '0'] as $y) {
    echo fen($y), ' ', intval($y), ' ', (float) $y, ' ', $y * 100, ' ', $y + 0, "\n";
}
 echo fen(null), fen(true), "\n";
echo "\n";
function part4()
{
    echo round(2.5), round(3.5), round(-2.5), ' ', round(1234567.891, -3), ' ', round(5.055, 2), ' ', round(1.45, 1), ' ', round(1.955, 2), ' ', round('3.7'), ' ', round(5), "\n";
}
part4();
echo "\n";
