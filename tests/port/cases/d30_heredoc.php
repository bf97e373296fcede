<?php
class HD { private $a = ['k' => 'v']; private $n = 'nm'; public function x() { return <<<XML
<a>{$this->n}</a><b>$this->n</b>{$this->a['k']}
XML; } }
echo (new HD())->x(), "\n";
