<?php
function f($n) { if ($n) { throw new \RuntimeException("late"); } return "fine"; }
foreach ([0, 1] as $n) {
    try {
        echo f($n), "\n";
    } catch (\InvalidArgumentException $e) {
        echo "I ", $e->getMessage(), "\n";
    } catch (\RuntimeException $e) {
        echo "R ", $e->getMessage(), $e instanceof \RuntimeException ? "yes" : "no", $e instanceof \LogicException ? "yes" : "no", "\n";
    }
}
