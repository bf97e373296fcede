<?php
function part0()
{
    try {
        echo 1 / 0;
    } catch (\Throwable $e) {
        echo 'T:', $e->getMessage(), "\n";
    }
}
part0();
echo "\n";
function part1()
{
    $c = ['mchid' => '190001', 'amount' => ['total' => 1], 'notify' => null];
    $d = ['notify' => 'https://a/b', 'currency' => 'CNY'];
    $c = array_merge($d, array_filter($c));
    echo json_encode($c, JSON_UNESCAPED_SLASHES), "\n";
    $c['amount']['total'] = $c['amount']['total'] * 100 + 0.5;
    $c['amount']['list'][] = 'a';
    $c['x']['y']['z'] = 1;
    echo json_encode($c), "\n";
    $copy = $c;
    $copy['amount']['total'] = 'changed';
    echo json_encode($c['amount']), $copy['amount']['total'], "\n";
}
part1();
echo "\n";
function part2()
{
    $c = [];
    $c['n'] ??= 'init';
    $c['n'] .= '!';
    $c['cnt'] = ($c['cnt'] ?? 0) + 1;
    echo $c['n'], $c['cnt'], "\n";
}
part2();
echo "\n";
function part3()
{
    $no = str_pad('5', 10, '0', STR_PAD_LEFT);
    echo $no, substr($no, -4), substr($no, 0, -2), ' ', ucfirst('abc'), strrev('abc'), ' ', rtrim('1.500', '0'), rtrim('100', '0'), ltrim('007', '0'), trim("\t x \0");
}
part3();
echo "\n";
function part4()
{
    echo str_replace('x', '', 'axbx'), strpos('abc', 'c'), strcmp('a', 'b'), strcmp('b', 'a'), strcmp('abc', 'a');
}
part4();
echo "\n";
