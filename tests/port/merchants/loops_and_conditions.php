<?php
function ex($n) {
    if ($n > 2) throw new \Exception("n=$n");
    return $n;
}
 $out = [];
 foreach ([1, 2, 3, 4] as $n) {
    try {
        $out[] = ex($n);
    } catch (\Exception $e) {
        $out[] = $e->getMessage();
    }
}
echo json_encode($out);
echo "\n";
function part1()
{
    $price = '12.50';
    if ($price == 12.5) echo 'eq';
    if ($price === '12.5') echo 'id';
    if ((float) $price === 12.5) echo 'fl';
    echo $price + 0, $price * 1, -$price, $price . '';
}
part1();
echo "\n";
function part2()
{
    echo floor(19.99 * 100), ceil(0.1 * 3 * 10), round(2.5) + round(3.5), floor(-1.5), (int) -1.9, (int) '1e2', (int) 1e3, 0.1 * 3, 1.1 + 2.2, 3 * 1.1, 1 - 0.9, 8 - 6.4, 19.6 * 100;
}
part2();
echo "\n";
function part3()
{
    echo array_sum(['1.5', 2, true, null, '3abc']), array_sum([0.1, 0.2, 0.3]), count([1, [2, 3]]), json_encode(array_merge(['a' => 1], ['a' => null])), json_encode(array_filter(['a' => 0, 'b' => '0', 'c' => ' ', 'd' => []])), json_encode(array_unique(['1', 1, 'a', 'A', 1.0])), json_encode(array_flip(['x', 'y'])), json_encode(array_reverse(['a' => 1, 2, 3])), json_encode(array_values(['x' => 1])), json_encode(array_column([['id' => 1, 'n' => 'a'], ['id' => 2]], 'n'));
}
part3();
echo "\n";
