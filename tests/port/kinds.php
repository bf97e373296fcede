<?php
// Variables that get values of more than one type.
$o = json_decode('{"p":12.5}', true);
$a = 0;
if ($o) { $a = $o['p']; }
echo $a, "\n";
$b = 1;
foreach ([1, 2] as $i) { $b = $b * $o['p']; }
echo $b, "\n";
$c = 1;
foreach ([1, 2] as $i) { $c = $c / 2; }
echo $c, "\n";
$d = 1;
foreach ([1, 2] as $i) { $d *= 1.5; }
echo $d, "\n";
$e = 0;
foreach (['x', 'y'] as $i) { $e = $i; }
echo $e, "\n";
$g = '';
foreach ([1] as $i) { $g = 5; }
echo $g + 1, "\n";
$h = 1.5;
foreach ([1] as $i) { $h = $o['p']; }
echo $h, "\n";
$k = false;
foreach ([1] as $i) { $k = $o['p']; }
echo $k, "\n";
function first_price(array $orders)
{
    $found = false;
    foreach ($orders as $order) {
        if ($order['n'] > 1) {
            $found = $order['price'];
            break;
        }
    }
    return $found;
}
$orders = [['price' => 12.5, 'n' => 2], ['price' => 3, 'n' => 1]];
$total = 0;
$count = 0;
foreach ($orders as $order) {
    $total += $order['price'];
    $count++;
    $total = $total + $order['n'];
}
echo $total, ' ', $count, ' ', json_encode(['total' => $total, 'first' => first_price($orders)]), "\n";
$text = '';
foreach ($orders as $order) {
    $text = $order['price'];
}
echo json_encode(['text' => $text]), "\n";
$note = 5;
if ($count > 1) {
    $note .= ' of them';
}
echo $note, "\n";
$nothing = 7;
if ($count > 1) {
    $nothing = null;
}
echo json_encode([$nothing]), "\n";
$o = ['price' => 12.5, 'text' => '12.50', 'n' => 3];
$p = 12.5;
echo json_encode(['a' => $o['price'] * 100]), "\n";
echo json_encode(['c' => $o['text'] * 100]), "\n";
echo json_encode(['d' => $p * 100]), "\n";
echo json_encode(['g' => (float) $o['n']]), "\n";
echo json_encode(['h' => floatval('100')]), "\n";
echo json_encode(['j' => intval($o['text'] * 100)]), "\n";
echo json_encode(['k' => 100 * 1.0, 'l' => 6 / 2, 'm' => 7 / 2]), "\n";
