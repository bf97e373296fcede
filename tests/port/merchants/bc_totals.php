<?php
$t = 0; foreach (['0.1', '0.2', '19.99'] as $p) { $t = bcadd($t, $p, 2); } echo $t, ' ', bcmul($t, 100, 0), ' ', bcadd(0.1, 1.5, 1), ' ', bcmul(12.5, '2', 2), "\n";
