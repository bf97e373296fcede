<?php
function part0()
{
    echo sprintf('%06d', 123), sprintf('%03d', 1234), ' ', sprintf('%.15f', 0.1), ' ', sprintf('%f', 1.5), ' ', sprintf('%.2f', 0.125), ' ', sprintf('%.2f', 0.375), ' ', sprintf('%.1f', 0.25), ' ', sprintf('%.0f', 0.5), ' ', sprintf('%.0f', 1.5), ' ', sprintf('%.2f', 1.255);
}
part0();
echo "\n";
function part1()
{
    echo sprintf('%.2f', 2.675), ' ', sprintf('%.2f', 1.005), ' ', sprintf('%.1f', 0.05), ' ', sprintf('%.2f', 8.345), ' ', sprintf('%.3f', 1.0005), ' ', sprintf('%.20f', 0.1), ' ', sprintf('%.2f', 123456789.125), ' ', sprintf('%.2f', 1e20), ' ', sprintf('%.1f', 0.45), ' ', sprintf('%f', 0.0000005), ' ', sprintf('%.2f', -1.005);
}
part1();
echo "\n";
function part2()
{
    echo number_format(1.005, 2), ' ', number_format(2.675, 2), ' ', number_format(-1234.567, 2, ',', '.'), ' ', number_format(0.5), ' ', number_format(1e15, 2), ' ', number_format('1234.5', 1), ' ', number_format(-0.4), ' ', number_format(1234567, 0, '', ' ');
}
part2();
echo "\n";
function part3()
{
    $x = -0.0;
    echo $x, ' ', -$x, ' ', 0 * -1, ' ', 0.0 * -1, ' ', json_encode($x), ' ', round(-0.2);
}
part3();
echo "\n";
function part4()
{
    $r = json_decode('{"a":1.0,"b":12345678901234567890,"c":{},"d":[],"e":"x"}', true);
    echo json_encode($r), $r['a'], ' ', $r['b'];
}
part4();
echo "\n";
