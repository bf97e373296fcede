<?php
$d = ['a' => '中文/x', 'f' => 0.1, 'g' => 100.0, 'n' => null, 'e' => [], 'l' => [1, 'two'], 'q' => '"\\', 'u' => "\u{1F600}", 'c' => "\t\n\x01"];
echo json_encode($d), "\n", json_encode($d, JSON_UNESCAPED_UNICODE), "\n", json_encode($d, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n", json_encode($d, JSON_PRETTY_PRINT), "\n", json_encode($d, 320), "\n", json_encode('x'), json_encode(1.5), json_encode(true), json_encode(null), "\n";
