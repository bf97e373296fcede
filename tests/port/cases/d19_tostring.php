<?php
class TS { private $n = 2; public function __toString() { return "n{$this->n}"; } }
$i = new TS(); echo $i, strlen((string)$i), "\n";
