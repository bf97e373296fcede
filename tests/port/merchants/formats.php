<?php
function part0()
{
    echo PHP_INT_MAX, ' ', (int) '9999999999999999999', ' ', (int) 1e19, ' ', '5' + '5.5', ' ', '1.5' + 1, ' ', true + true, ' ', null + 5, "\n";
}
part0();
echo "\n";
function part1()
{
    echo max(1, '5', 3.2), min('a', 'b'), max([1, 5, 3]), max('abc', 0), array_sum([1, 2.5, '3']), abs(-5.5), "\n";
}
part1();
echo "\n";
function part2()
{
    printf("%05d|%5d|%x|%X|%s|%10s|%-10s|%5.1f|%05.1f\n", 42, 42, 255, 255, 'a', 'b', 'c', 3.14159, 2.5);
}
part2();
echo "\n";
function part3()
{
    echo sprintf('%05d', -42), sprintf('%5d|', 7), sprintf('%s', 1.0), sprintf('%s', true), sprintf('%s', null), sprintf('%d', '12abc'), sprintf('%d', 3.99), sprintf('%d', '1e3');
}
part3();
echo "\n";
function part4()
{
    echo sprintf('%.2f', '1.005'), ' ', sprintf('%.2f', 1e15), ' ', sprintf('%.3f', 0.0005), ' ', sprintf('%.2f', -0.001), ' ', sprintf('%08.2f', 3.14159), ' ', sprintf('%x', -1);
}
part4();
echo "\n";
