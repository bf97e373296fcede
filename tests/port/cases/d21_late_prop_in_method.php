<?php
class LP { private $cache; public function get($k) { if (!isset($this->cache[$k])) { $this->cache[$k] = $k . '!'; } return $this->cache[$k]; } public function n() { return count($this->cache ?? []); } }
$l = new LP(); echo $l->n(), $l->get('a'), $l->get('b'), $l->get('a'), $l->n(), "\n";
