<?php
$x = json_decode('{"a":1,"b":[1,2,{"c":"d"}],"e":1.0}', true);
var_dump($x); var_dump($x['b'][2]['c']); var_dump((string) $x['a']); var_dump($x['a'] == '1'); var_dump(strlen('abc') > 2);
var_dump($x['nope'] ?? null);
var_export($x); echo "\n"; var_export('it\'s'); echo "\n"; var_export(1.0); echo "\n"; var_export(null); echo "\n"; var_export(false); echo "\n"; var_export([1, 'a' => [true, 2.5]]); echo "\n";
echo var_export(['a' => null], true), "\n";
