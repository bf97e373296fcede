<?php
function part0()
{
    echo sprintf('%x', -1), sprintf('%X', 255), sprintf('%x', 4294967296), sprintf('%d', -5), sprintf('%d', 9223372036854775807);
}
part0();
echo "\n";
function part1()
{
    $x = 2147483647;
    $x++;
    echo $x;
    $y = 2147483647;
    $y += 1;
    echo $y;
    $z = 2147483647 * 2;
    echo $z;
}
part1();
echo "\n";
function total(array $items): float {
    $t = 0;
    foreach ($items as $i) {
        $t += $i['price'] * $i['qty'];
    }
    return $t;
}
echo total([['price' => 0.1, 'qty' => 3], ['price' => '2.5', 'qty' => 2]]), ' ', total([]), ' ', json_encode(total([['price' => 5, 'qty' => 2]]));
echo "\n";
function price(int $fen): string {
    return number_format($fen / 100, 2, '.', '');
}
echo price(1999), price(5), price(100), price('250'), price(0);
echo "\n";
