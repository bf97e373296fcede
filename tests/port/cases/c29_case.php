<?php
class CaseTest { public $Val = 1; public $val = 2; public function GetVal() { return $this->Val . $this->val; } }
$c = new casetest();
echo $c->getval(), $c->GETVAL(), "\n";
