<?php
// Texts as PHP writes them. The program that is made of this must print what PHP prints.

const GREETING = 'hello';
define('SHOP', "shop");

echo 'single \'quoted\' \\ \n $not', "\n";
echo "double \"quoted\" \\ \x41 \101 \u{5f20} \$ \e[0m {braces} {}", "\n";
echo "tab\tand\rreturn\v\f", "\n";
$name = '张三';
$order = ['no' => 'A1', 'buyer' => ['name' => 'Bob'], 'lines' => ['first', 'second']];
echo "name: $name, {$name}s", "\n";
echo "array: $order[no] {$order['no']} {$order['buyer']['name']} {$order['lines'][1]}", "\n";
echo "percent % and {\$name} and \{$name}", "\n";
echo <<<TEXT
    indented $name
      deeper "quotes" \\ \t|
    {$order['no']}
    TEXT . "\n";
echo <<<'TEXT'
    raw $name {$x} \n
    TEXT . "\n";
echo <<<"TEXT"

  blank line above
  TEXT, "\n";
$text = 'a';
$text .= 'b' . 1 . 2.5 . true . false . null . -3;
echo $text, "\n";
print('printed' . "\n");
echo GREETING . ' ' . SHOP . ' ' . \GREETING . "\n";
echo sprintf('%s|%d|%05d|%.2f|%x|%%|', 'a', 42, 42, 1.005, 255), "\n";
printf("%s-%s\n", 'x', 'y');
echo strtoupper('abc'), strtolower('ABC'), ucfirst('abc'), trim("  t \n"), "\n";
echo substr('abcdef', 1, 3), substr('abcdef', -2), strlen('张'), "\n";
echo str_replace('a', 'b', 'banana'), str_pad('7', 3, '0', STR_PAD_LEFT), str_repeat('ab', 2), "\n";
echo implode(',', ['a', 'b']), ' ', implode('&', explode(',', 'c,d')), "\n";
echo md5('a'), ' ', hash('sha256', 'a'), "\n";
echo bin2hex('abc'), "\n";
echo rawurlencode('a b/张'), "\n";
echo str_contains('abc', 'b') ? 'in' : 'out', str_starts_with('abc', 'b') ? 'in' : 'out', "\n";
echo 'a' == 'a' ? 'same' : 'other', ' ', 'a' === 'b' ? 'same' : 'other', ' ', '1' == 1 ? 'same' : 'other', "\n";
echo 1 + 2 . 'x', ' ', '3' + 4, ' ', 7 % 3, ' ', 7 / 2, ' ', 6 / 2, ' ', intdiv(7, 2), ' ', 2 ** 3, ' ', -7 % 3, "\n";
echo 0.1 + 0.2, ' ', 1.0, ' ', 1e20, ' ', 0.00001, ' ', 100000000000000000000.0, ' ', round(2.5), ' ', floor(-1.5), "\n";
echo PHP_EOL === "\n" ? 'eol' : '', PHP_INT_MAX, "\n";
