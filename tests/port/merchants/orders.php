<?php
function pay($order) {
    $order['total'] = (int) round($order['amount'] * 100);
    unset($order['amount']);
    return $order;
}
$o = ['no' => '1', 'amount' => '19.99'];
echo json_encode(pay($o)), json_encode($o);
echo "\n";
function part1()
{
    $cfg = ['a' => ['b' => ['c' => 1]]];
    $cfg['a']['b']['d'] = 2;
    $x = $cfg['a'];
    $x['b']['c'] = 9;
    echo json_encode($cfg), json_encode($x);
}
part1();
echo "\n";
function part2()
{
    $data = ['amount' => ['total' => 100, 'currency' => 'CNY'], 'payer' => ['openid' => 'o1']];
    foreach ($data as $k => $v) {
        if (is_array($v)) {
            foreach ($v as $kk => $vv) {
                echo "$k.$kk=$vv;";
            }
        } else {
            echo "$k=$v;";
        }
    }
}
part2();
echo "\n";
function part3()
{
    $sum = 0;
    foreach (['1.10', '2.20', '3.30'] as $p) {
        $sum += (float) $p;
    }
    echo $sum, ' ', $sum == 6.6 ? 'eq' : 'ne', ' ', round($sum * 100), ' ', (int) ($sum * 100), ' ', number_format($sum, 2);
}
part3();
echo "\n";
