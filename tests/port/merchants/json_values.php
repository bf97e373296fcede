<?php
function part0()
{
    echo json_encode([1 => 'a', 2 => 'b']), json_encode([0 => 'a', 1 => 'b']), json_encode([1 => 'a', 0 => 'b']), json_encode(['0' => 'a']), json_encode([[]]), json_encode([null]), json_encode(['a' => [1 => 2]]), json_encode("a\u{2028}b"), json_encode(""), json_encode(["k\"ey" => 1]), json_encode("\x7f");
}
part0();
echo "\n";
function part1()
{
    echo json_encode(['price' => 0.1 + 0.2, 'n' => 1.0, 'big' => 1e20, 'neg' => -1.5, 'int' => 10/2, 'frac' => 10/4]);
}
part1();
echo "\n";
function part2()
{
    echo json_encode(json_decode('{"a":{},"b":[],"c":1.0,"d":"\u4e2d","e":null,"f":1e2,"0":"x"}', true)), json_encode(json_decode('[]', true)), json_encode(json_decode('"x"', true)), json_encode(json_decode('', true)), json_encode(json_decode('nul', true)), json_encode(json_decode('1', true)), json_encode(json_decode(' {"a" : 1 } ', true));
}
part2();
echo "\n";
function part3()
{
    echo json_decode('{"a":1}', true)['a'], json_decode('{"a":{"b":2}}', true)['a']['b'] ?? 0, json_decode('x', true)['a'] ?? 'bad';
}
part3();
echo "\n";
