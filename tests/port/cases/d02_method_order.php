<?php
class C { private $n = 0; private $s = ''; public function next() { $this->n++; $this->s .= $this->n; return $this->n; }
 public function t() { $a = $this->n + $this->next() * 10 + $this->n; $b = [$this->n, $this->next(), $this->n]; $c = $this->s . $this->next() . $this->s; return [$a, $b, $c, $this->n == $this->next() ? 'eq' : 'ne']; } }
echo json_encode((new C())->t()), "\n";
