<?php
function part0()
{
    $p = ['mch_id' => '1', 'total_fee' => 1, 'appid' => 'wx', 'Z' => 1, '_x' => 2, '10' => 3, '9' => 4, 'a' => 5];
    ksort($p);
    echo implode(',', array_keys($p));
    $q = ['b', 'a', 'c'];
    ksort($q);
    echo implode(',', $q);
    $w = ['1' => 'x', 'a' => 'y', '01' => 'z', '' => 'e', '1e1' => 'f', '10' => 'g'];
    ksort($w);
    echo json_encode($w);
}
part0();
echo "\n";
function part1()
{
    $str = '';
    $params = ['c' => '', 'a' => '1', 'b' => 0, 'd' => null, 'e' => '0', 'sign' => 'S', 'arr' => [1]];
    ksort($params);
    foreach ($params as $k => $v) {
        if ($k === 'sign' || $v === '' || $v === null || is_array($v)) {
            continue;
        }
        $str .= "$k=$v&";
    }
    echo rtrim($str, '&'), strtoupper(md5($str . 'key=abc'));
}
part1();
echo "\n";
function part2()
{
    $arr = ['a' => 1, 'b' => 2];
    foreach ($arr as $key => $value) {
        $arr[$key] = $value * 2;
    }
    echo json_encode($arr);
    $keys = array_keys($arr);
    echo $keys[0], count($arr), in_array(4, $arr) ? 'in' : 'out', in_array('4', $arr, true) ? 'in' : 'out', array_key_exists('a', $arr) ? 1 : 0;
}
part2();
echo "\n";
function part3()
{
    $list = [];
    $list[5] = 'a';
    $list[] = 'b';
    $list['x'] = 'c';
    $list[] = 'd';
    $list['3'] = 'e';
    $list[] = 'f';
    echo json_encode($list);
    $m = [];
    $m[true] = 1;
    $m[null] = 2;
    $m['1'] = 3;
    $m[1.9] = 4;
    $m[''] = 5;
    echo json_encode($m);
}
part3();
echo "\n";
