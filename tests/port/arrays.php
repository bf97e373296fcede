<?php
// Arrays as PHP writes them. The program that is made of this must print what PHP prints.

$flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
$list = [1, 'two', 3.5, true, null, ['nested' => [1, 2]],];
echo json_encode($list, $flags), "\n";
$map = array('b' => 1, "a" => 'x/张', 'n' => null, 'e' => [], 'o' => (object) [], 's' => new \stdClass, );
echo json_encode($map, $flags), "\n";
echo json_encode(['k' => 1, 'l' => 2, 'k' => 3], $flags), "\n";
echo json_encode([5 => 'a', 'b', '7' => 'c', 'd'], $flags), "\n";
echo json_encode(['0' => 'a', '1' => 'b'], $flags), json_encode([1 => 'a'], $flags), "\n";
echo json_encode([[], [[]], [['a' => []]]], $flags), "\n";
$map['c'] = 2;
$map['deep']['er'] = 'set';
$map['list'][] = 'one';
$map['list'][] = 'two';
unset($map['b']);
$map['a'] .= '!';
echo json_encode($map, $flags), "\n";
$map += ['c' => 'kept', 'd' => 'added'];
echo $map['c'], $map['d'], "\n";
echo json_encode(['x' => 1] + ['x' => 2, 'y' => 3], $flags), "\n";
echo json_encode(array_merge(['x' => 1, 'z' => 0], ['x' => 2]), $flags), json_encode(array_merge([1], [2, 3]), $flags), "\n";
echo json_encode([...[1, 2], 3, ...[4]], $flags), "\n";
[$first, , $third] = ['a', 'b', 'c'];
['x' => $x, 'y' => ['z' => $z]] = ['x' => 'X', 'y' => ['z' => 'Z']];
list($one, $two) = [1, 2];
echo $first, $third, $x, $z, $one, $two, "\n";
foreach (['a' => 1, 'b' => 2] as $key => $value) {
    echo $key, '=', $value, ';';
}
foreach ([10, 20] as $index => $value) {
    echo $index, '=', $value, ';';
}
foreach (['p', 'q'] as $letter) {
    if ($letter === 'q') {
        continue;
    }
    echo $letter;
}
echo "\n";
echo count($list), count([]), ' ', isset($map['c']) ? 'set' : 'unset', isset($map['nothing']) ? 'set' : 'unset', "\n";
echo isset($map['n']) ? 'set' : 'unset', empty($map['e']) ? 'empty' : 'full', empty($map['c']) ? 'empty' : 'full', "\n";
echo $map['nothing'] ?? 'default', ' ', $map['n'] ?? 'was null', ' ', $map['deep']['er'] ?? 'none', ' ', $map['no']['thing'] ?? 'none', "\n";
echo implode(',', array_keys(['a' => 1, 'b' => 2])), implode(',', array_values(['a' => 1, 'b' => 2])), "\n";
echo in_array('two', $list, true) ? 'in' : 'out', array_key_exists('n', $map) ? 'in' : 'out', "\n";
echo in_array('2', [1, 2]) ? 'in' : 'out', in_array('2', [1, 2], true) ? 'in' : 'out', in_array(0, ['a', null]) ? 'in' : 'out', "\n";
echo json_encode(json_decode(json_encode(['a' => [1, 'b']], JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE))), "\n";
$decoded = json_decode('{"a":{"b":[1,{"c":"d"}]},"t":true,"f":1.5}', true);
echo $decoded['a']['b'][1]['c'], $decoded['a']['b'][0] + 1, $decoded['f'], $decoded['t'] ? 'yes' : 'no', "\n";
$sum = 0;
foreach ($decoded['a']['b'] as $item) {
    $sum += is_int($item) ? $item : 10;
}
echo $sum, "\n";
print_r(['a' => 1, 'b' => ['c' => 'x', 'd' => []], 'n' => null, 'f' => false, 't' => true]);
echo "\n";
