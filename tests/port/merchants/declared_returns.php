<?php
function f(?string $s = null): ?int {
    return $s === null ? null : strlen($s);
}
echo f() ?? 'nil', f('abc'), f('') === 0 ? 'zero' : 'no';
echo "\n";
function g(float $x) {
    return $x;
}
echo g(5), ' ', json_encode(g(5)), ' ', g('1.50'), ' ', var_export(g(3), true);
echo "\n";
function k(string $s) {
    return $s . '!';
}
echo k(5), k(1.0), k(true), k(1.5);
echo "\n";
function b(bool $b) {
    return $b ? 'T' : 'F';
}
echo b(0), b('0'), b('a'), b(0.0), b(1);
echo "\n";
function code(): string
{
    return 5;
}
echo json_encode(code());
