<?php
$config = ['a' => ['b' => 1], 'c' => 2]; $over = ['a' => ['x' => 1], 'd' => 3, 5 => 'five'];
echo json_encode(array_merge($config, $over)), json_encode($config + $over), json_encode([...$config, ...['z' => 1]]), "\n";
$n1 = [3 => 'a', 1 => 'b']; $n2 = [3 => 'c']; echo json_encode(array_merge($n1, $n2)), json_encode($n1 + $n2), json_encode([...$n1, ...$n2]), "\n";
ksort($over); echo json_encode($over), "\n";
$m = ['b' => 1, 'a' => 2, '10' => 3, '9' => 4]; ksort($m); foreach ($m as $k => $v) { echo "$k=$v&"; } echo "\n";
echo implode(',', array_keys($m)), implode('|', [1.0, true, null, 'x', 2.50]), "\n";
