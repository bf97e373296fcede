<?php
function r(): int {
    return '5';
}
echo json_encode(r());
echo "\n";
function u(): ?array {
    return null;
}
echo u()['a'] ?? 'none';
echo "\n";
function part2()
{
    $a = [1, 2, 3];
    foreach ($a as $i => $v) {
        if ($i == 0) {
            $a[] = 99;
        }
        echo $v;
    }
    echo count($a);
}
part2();
echo "\n";
function part3()
{
    $s = "line1\nline2\r\n\ttab \"q\" \$d \\ \x41 \101 \u{41}";
    echo $s, strlen($s);
}
part3();
echo "\n";
