<?php
class O { public int $n = 5; public $u = 5; public function f() { $this->n = $this->n / 2 * 2; $this->u = $this->u / 2; return [$this->n, $this->u, $this->n % 3]; } }
echo json_encode((new O())->f()), "\n";
