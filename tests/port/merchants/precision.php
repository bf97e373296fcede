<?php
function part0()
{
    $big = 9007199254740993;
    echo $big, ' ', (float) $big, ' ', $big * 2, ' ', $big / 1, ' ', json_encode($big);
}
part0();
echo "\n";
function part1()
{
    $x = '1,234.50';
    echo (float) str_replace(',', '', $x) * 100, (int) $x, floatval('1.2.3'), intval('0x1A'), intval('012'), intval(' 42'), intval('4.9'), intval(null), intval(true), intval([]), intval('');
}
part1();
echo "\n";
function part2()
{
    echo 0.1 + 0.2 == 0.3 ? 1 : 0, abs(0.1 + 0.2 - 0.3) < 1e-9 ? 1 : 0, floor((0.1 + 0.7) * 10), intval(strval(19.99 * 100)), (int) (string) (0.29 * 100), (int) (0.29 * 100);
}
part2();
echo "\n";
function part3()
{
    echo 'a' === "a" ? 1 : 0, 1 === 1.0 ? 1 : 0, '1' === 1 ? 1 : 0, null === false ? 1 : 0, [] === [] ? 1 : 0, [1] === ['1'] ? 1 : 0, 1.0 === 1.0 ? 1 : 0;
}
part3();
echo "\n";
