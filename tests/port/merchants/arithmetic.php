<?php
function part0()
{
    $money = '1,234.56';
    $clean = str_replace(',', '', $money);
    echo $clean * 100, ' ', round($clean * 100), ' ', (int) $money, ' ', is_numeric($money) ? 1 : 0, is_numeric($clean) ? 1 : 0;
}
part0();
echo "\n";
function fmt($fen) {
    return sprintf('%d.%02d', intdiv($fen, 100), $fen % 100);
}
echo fmt(1999), fmt(5), fmt(100), fmt(123456);
echo "\n";
function yuan($fen) {
    return $fen / 100;
}
echo yuan(1999), ' ', yuan(100), ' ', yuan('250'), ' ', json_encode(yuan(100)), json_encode(yuan(150)), ' ', yuan(0), ' ', yuan(1), ' ', 0.1 * 3 / 3;
echo "\n";
function part3()
{
    $arr = [5, 3, 8];
    $max = null;
    foreach ($arr as $v) {
        if ($max === null || $v > $max) {
            $max = $v;
        }
    }
    echo $max, max($arr), min($arr), array_sum($arr) / count($arr), round(array_sum($arr) / count($arr), 2);
}
part3();
echo "\n";
