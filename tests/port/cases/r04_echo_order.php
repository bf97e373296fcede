<?php
function r($d) { try { if (empty($d)) { throw new \InvalidArgumentException('no d'); } return count($d); } catch (\InvalidArgumentException $e) { return -1; } finally { echo 'f'; } }
echo r([]), r([1, 2]), "\n";
function t($x) { if ($x) { $y = 1; } else { return 'none'; } return $y; } echo t(1), t(0), "\n";
$a = ['q' => ['r' => 1]];
