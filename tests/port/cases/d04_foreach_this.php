<?php
class L { private $items = ['a' => 1, 'b' => 2]; public function run() { $out = []; foreach ($this->items as $k => $v) { $this->items[$k . $k] = $v * 2; unset($this->items[$k]); $out[] = $k; } foreach ($this->items as $k => $v) { $v += 100; $out[] = "$k=$v"; } return implode(',', $out) . json_encode($this->items); } }
echo (new L())->run(), "\n";
