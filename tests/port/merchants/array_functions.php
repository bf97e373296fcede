<?php
function part0()
{
    echo json_encode(array_unique([1, '1', 1.0, true, 'a', 'A'])), json_encode(array_filter([0, '0', '', null, [], 'a', 0.0, false])), json_encode(array_values(array_unique([3, 1, 3])));
}
part0();
echo "\n";
function part1()
{
    echo json_encode(array_reverse([1, 2, 3])), json_encode(array_flip(['a', 'b'])), json_encode(array_keys(['x' => 1, 2 => 2, '3' => 3])), json_encode(array_reverse(['a' => 1, 5 => 2]));
}
part1();
echo "\n";
function part2()
{
    echo json_encode(array_merge()), json_encode(array_merge([], [])), json_encode(array_merge(['a'], ['b' => 1], ['a']));
}
part2();
echo "\n";
function part3()
{
    echo base64_encode("\x00é"), base64_decode('YWJj'), bin2hex('ab'), md5(''), sha1('x'), hash('sha256', 'x'), urlencode('a b&c=d/中'), rawurlencode('a b~');
}
part3();
echo "\n";
function part4()
{
    $m = ['10' => 'a', '9' => 'b', 'x' => 'c', '010' => 'd'];
    ksort($m);
    echo json_encode($m);
    foreach ($m as $k => $v) {
        echo $k === 10 ? 'int' : 'str';
    }
}
part4();
echo "\n";
