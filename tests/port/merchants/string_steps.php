<?php
$s = 'a9'; $s++; echo $s, "\n"; $z = 'Az'; $z++; echo $z; $zz = 'zz'; $zz++; echo $zz; $n = '9'; $n++; var_dump($n); $f = '1.5'; $f++; var_dump($f); $x = null; $x++; var_dump($x); $y = null; $y--; var_dump($y);
$o = 'NO099'; $o++; echo $o, "\n";
