<?php
// A second program, with a variable of the same name.
use Shop\Util\Money;

$text = 7;
echo $text + 1, ' ', Money::yuan(5), "\n";
