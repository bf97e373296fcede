<?php
class G { public array $opts = ['json' => ['amount' => ['total' => 1]]]; public function with($k, $v) { $this->opts['json'][$k] = $v; $this->opts['json']['amount']['total'] += 5; return $this->opts; } }
$g = new G(); $x = $g->with('a', 'b'); $x['json'] = 1; echo json_encode($g->opts), json_encode($g->with(3, [])), "\n";
