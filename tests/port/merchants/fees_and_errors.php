<?php
function part0()
{
    $total = 0;
    $items = [['p' => 1999, 'n' => 2], ['p' => '500', 'n' => '3']];
    foreach ($items as $it) {
        $total += $it['p'] * $it['n'];
    }
    echo $total, json_encode($total), is_int($total) ? 'int' : 'no';
}
part0();
echo "\n";
function part1()
{
    $discount = 0.88;
    $fen = 1999;
    echo $fen * $discount, ' ', (int) ($fen * $discount), ' ', round($fen * $discount), ' ', floor($fen * $discount), ' ', intval(round($fen * $discount)), ' ', sprintf('%.2f', $fen * $discount / 100);
}
part1();
echo "\n";
function part2()
{
    $rate = '0.006';
    $amt = 10000;
    echo $amt * $rate, ' ', ceil($amt * $rate), ' ', max(1, (int) round($amt * $rate)), ' ', $rate * 100 . '%';
}
part2();
echo "\n";
function part3()
{
    $s = '{"code":"PARAM_ERROR","detail":{"location":"body","value":0},"message":"x"}';
    $e = json_decode($s, true);
    echo $e['code'], $e['detail']['value'] ?? 'none', empty($e['detail']['value']) ? 'empty' : 'full', isset($e['detail']['nope']) ? 1 : 0, $e['message'] ?: 'no message', count($e);
}
part3();
echo "\n";
