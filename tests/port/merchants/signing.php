<?php
function part0()
{
    $params = ['appid' => 'wx1', 'nonce_str' => 'abc', 'body' => '测试 & 商品', 'total_fee' => 100, 'sign' => '', 'attach' => null, 'ok' => false, 'zero' => 0];
    ksort($params);
    $s = '';
    foreach ($params as $k => $v) {
        if ($k != 'sign' && $v !== '' && !is_array($v)) {
            $s .= $k . '=' . $v . '&';
        }
    }
    $s .= 'key=' . 'secret';
    echo $s, "\n", strtoupper(md5($s)), "\n", http_build_query($params), "\n";
}
part0();
echo "\n";
function part1()
{
    echo http_build_query(['a' => ['b' => 1, 'c' => [2, 3]], 'x' => true, 'y' => 1.0, 'z' => null, 'e' => [], 'sp' => 'a b+c~d', 'f' => 0.1]);
}
part1();
echo "\n";
function risky($x) {
    if ($x > 1) {
        throw new \InvalidArgumentException("bad $x");
    }
    return $x;
}
 try {
    echo risky(1);
    echo risky(2);
} catch (\InvalidArgumentException $e) {
    echo $e->getMessage(), $e->getCode(), "\n";
} finally {
    echo "fin\n";
}
echo "\n";
function part3()
{
    try {
        echo 1 % 0;
    } catch (\Throwable $e) {
        echo 'T:', $e->getMessage(), "\n";
    }
}
part3();
echo "\n";
function part4()
{
    try {
        echo intdiv(1, 0);
    } catch (\Throwable $e) {
        echo 'T:', $e->getMessage(), "\n";
    }
}
part4();
echo "\n";
