<?php
class N { public function n() { return 'nn'; } public function go($x) { $r = ['a' => $k = $this->n(), 'b' => 2]; if ($v = $x['v'] ?? null) { $r['v'] = $v; } return json_encode($r) . $k; } }
function f($s) { return strtoupper($s); }
$n = new N();
echo $n->go([]), $n->go(['v' => 3]), "\n";
$t = f($u = 'low') . '!';
echo $t, $u, "\n";
if (($len = strlen($t)) > 2) { echo $len, "\n"; }
echo $len, "\n";
