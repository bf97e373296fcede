<?php
function f($v) { switch ($v) { case 0: return 'zero'; case '1': return 'one'; case 'SUCCESS': return 'ok'; case null: return 'null'; case true: return 'true'; default: return 'other'; } }
foreach ([0, 1, '0', '1', 'SUCCESS', null, '', 'abc', 1.0, true, false, [], '01'] as $v) { echo f($v), "\n"; }
