<?php
class SE { public $code = 0; public string $st = ''; public function f($c) { $this->code = $c; $this->st = $c; if ($this->code === 'SUCCESS') return 'ok'; if ($this->code == 0) return 'zero'; switch ($this->st) { case '1': return 'one'; case 'x': return 'ex'; default: return 'def'; } } }
$s = new SE(); echo $s->f('SUCCESS'), $s->f(0), $s->f('1'), $s->f('x'), $s->f(7), $s->f('0'), "\n";
