<?php
class P { public $x; public function __construct($x) { $this->x = $x; } }
$list = [new P(1), new P(2)];
foreach ($list as $p) { $p->x *= 10; }
echo $list[0]->x, $list[1]->x, "\n";
