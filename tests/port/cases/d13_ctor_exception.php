<?php
class E1 { private $log = []; private $ok = false; public function __construct($x) { $this->log[] = 'a'; try { if ($x) { throw new \RuntimeException('bad'); } $this->ok = true; } catch (\RuntimeException $e) { $this->log[] = $e->getMessage(); } finally { $this->log[] = 'f'; } } public function s() { return implode('', $this->log) . ($this->ok ? 1 : 0); } }
echo (new E1(true))->s(), (new E1(false))->s(), "\n";
