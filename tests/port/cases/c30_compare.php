<?php
class Q { public $n = 1; }
$a = new Q(); $b = new Q(); $c = $a;
echo $a == $b ? 'y' : 'n', $a === $b ? 'y' : 'n', $a === $c ? 'y' : 'n', "\n";
