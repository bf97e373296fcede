<?php
// The functions that the pieces of carried.php and listed.php call. Each prints that it runs.

function save(int $n): int { echo "save $n\n"; return $n; }
function label(string $s): string { echo "label $s\n"; return $s; }
function flag(bool $b): bool { echo $b ? "yes\n" : "no\n"; return $b; }
function rows(int $n): array { echo "rows $n\n"; return ["n" => $n, "list" => [$n, $n + 1]]; }
function any($v) { echo "any ", json_encode($v), "\n"; return $v; }
function nothing(string $s) { echo "nothing $s\n"; }
function ends(int $n) { echo "ends $n\n"; if ($n > 1) { return; } echo "more\n"; }
function fails(string $s): int { echo "fails $s\n"; throw new RuntimeException($s); }
