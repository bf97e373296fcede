<?php
function pay(string $no, ?int $total = null, array $extra = [], $desc = null, float $rate = 0.006, bool $x = false) { return json_encode([$no, $total, $extra, $desc, $rate, $x]); }
echo pay('a'), pay('a', 0), pay('b', null, ['k' => 1], 'd', 1, true), pay('7', '5'), "\n";
function g($a = null) { if ($a === null) { $a = 'def'; } return $a ?: 'falsy'; } echo g(), g(0), g('x'), "\n";
