<?php
$r = json_decode('{"code":"0","msg":null,"list":[{"id":1},{"id":2}],"amount":{"total":100}}', true);
if ($r['code'] == 0) { echo "ok\n"; } if ($r['code'] === 0) { echo "no\n"; }
$t = $r['amount']['total'] / 100; echo $t, ' ', number_format($t, 2), "\n"; echo $r['amount']['payer'] ?? 'np', "\n";
foreach ($r['list'] as $i => $row) { $r['list'][$i]['x'] = $i; $ids[] = $row['id']; } echo implode(',', $ids), json_encode($r), "\n";
$msg = $r['msg'] ?: 'empty'; echo $msg, "\n"; $w = $r['amount']['total'] > 99 && $r['code']; echo json_encode($w), "\n";
list($p, list(, $q)) = [1, [2, 3]]; echo $p, $q, "\n"; ['a' => $aa] = ['a' => 'z']; echo $aa, "\n";
