<?php
function part0()
{
    echo strpos('abc', 'b'), strpos('abc', 'z') === false ? 'F' : 'T', strpos('abc', 'a') === 0 ? 'Z' : 'N', strpos('aXbX', 'X'), str_contains('abc', '') ? 1 : 0, str_starts_with('abc', 'ab') ? 1 : 0, str_ends_with('abc', 'c') ? 1 : 0, strpos('a', '') , strcmp('a', 'a'), strcmp('10', '9') < 0 ? 'lt' : 'gt';
}
part0();
echo "\n";
function part1()
{
    if (strpos('wechat', 'we') !== false) {
        echo 'found';
    }
    if (!strpos('wechat', 'we')) {
        echo 'pitfall';
    }
    if (strpos('abc', 'z')) {
        echo 'no';
    }
}
part1();
echo "\n";
function part2()
{
    echo explode('-', 'a-b-c')[1], count(explode(',', '')), implode(',', explode('-', '1-2-3')), json_encode(explode('|', '|a|')), implode(' ', ['a', 1, 2.5, true, null]);
}
part2();
echo "\n";
function part3()
{
    echo urlencode('https://a.b/c?d=e&f=g h+i~j_k-l.m中*!\'()'), ' ', rawurlencode('a b+c~d/e?f=中*!\'()'), ' ', base64_encode('中文'), md5('中'), http_build_query(['a' => 1, 'b' => 'x y', 'c' => ['d', 'e'], 'f' => null, 'g' => true, 'h' => false, 'i' => 1.5]);
}
part3();
echo "\n";
