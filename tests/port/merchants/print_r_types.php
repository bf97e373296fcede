<?php
print_r(['a' => 1, 'b' => [true, false, null, 1.0, 'x']]); print_r(1.0); print_r(null); print_r(true); print_r("s\n"); echo print_r([1, [2]], true);
print_r(3);
