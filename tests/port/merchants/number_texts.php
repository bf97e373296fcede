<?php
function part0()
{
    echo json_encode(json_decode('{"a":1,"a":2}', true)), json_encode(json_decode('{"1":1,"0":2}', true)), json_encode(json_decode('{"":1}', true)), json_encode(json_decode('[1,[2,{"x":[]}]]', true));
}
part0();
echo "\n";
function part1()
{
    echo number_format(1234.5), number_format(0.125, 2), number_format(1.005 * 100, 0), number_format(-1234.567, 1), number_format(1234.5678, 3, ',', '.'), number_format(0), number_format(999.999, 2), number_format('12.5', 2), number_format(1e6, 0, '', ''), number_format(12345678.9, 2, '.', ''), number_format(0.004, 2);
}
part1();
echo "\n";
function part2()
{
    echo max(1, 2.5), max('10', 9), max('abc', 'abd'), max([1, 2], [1, 3])[1], min(1, '0.5'), max(1, null), min(0, -0.5), json_encode(max('1', 1)), json_encode(max(1, '1')), json_encode(min('a', 'b', 'c')), max('apple', 5), min([3, 1, 2]), max(true, 2);
}
part2();
echo "\n";
function part3()
{
    echo str_pad('5', 3, '0', STR_PAD_LEFT), str_pad('abc', 2), str_pad('a', 5, 'xy'), str_pad('a', 4, '-', STR_PAD_LEFT), str_repeat('ab', 2), str_repeat('x', 0), ucfirst(''), ucfirst('1a'), strrev('ab'), strtoupper('aZ9'), trim('  a b  '), rtrim("a\n"), ltrim('0012', '0'), trim('[x]', '[]'), rtrim('1.0', '.0'), substr('abc', 1), substr('abc', -2, 1), substr('abc', 0, -1), substr('abc', 3), '|', substr('abc', 5, 1), '|', substr('', 0, 1), '|';
}
part3();
echo "\n";
