<?php
class Q { private $ok = false; private $data; public function check(): bool { return $this->data['x'] ?? false; } public function load($d) { $this->data = $d; if (!$this->check()) { return false; } return ['ok' => $this->data]; } }
$q = new Q(); var_export($q->load(['x' => 0])); echo json_encode($q->load(['x' => 'y'])), "\n";
if (!$q->load([])) { echo "no\n"; }
