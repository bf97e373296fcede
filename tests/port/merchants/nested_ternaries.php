<?php
foreach ([0, 5, 50, 500, '5', null] as $x) { $r = $x > 100 ? 'big' : ($x > 10 ? 'mid' : ($x ? 'small' : 'zero')); echo $r, ' ', $x ?: 'none', ' ', $x ?? 'nil', "\n"; }
