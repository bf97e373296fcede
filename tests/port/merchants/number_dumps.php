<?php
function part1()
{
    echo strval(0.1 + 0.2), (string) 1e25, 1.5e3, 0.00001, 1e-10, 123456.789e3, 1.0E+25, (string) 0.1, 5e-324, 1.7976931348623157e308, 2.5, 1/3, 100/3, 1e14, 1e15, 123456789012345.678;
}
part1();
echo "\n";
function part2()
{
    var_dump(0.1 + 0.2, 1e3, "a\nb", [null, true, 1.5, 'x', [1]], -0.0, 1/3, 1e15, PHP_INT_MAX);
    var_dump((int) '5', '5' + 5, '5' . 5, 5 / 2, 6 / 2, 7 % 2, round(2.5), floor(2), 2 ** 2, 2 ** -1, 2 ** 0.5, 10 ** 20);
}
part2();
echo "\n";
function part3()
{
    var_dump('abc' == 0, '1' == '01', 100 == '1e2', (bool) 'false', (bool) [], (bool) '0.0', null ?? 'x', !empty('0'), 1 <=> 2, '5' == '5 ');
    var_dump(json_decode('{"a":1.0,"b":"x","c":[1,{"d":null}],"e":12345678901}', true));
}
part3();
echo "\n";
