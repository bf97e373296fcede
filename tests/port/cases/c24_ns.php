<?php
namespace A { class X { public function f() { return 'A'; } } }
namespace B { class X { public function f() { return 'B'; } } $x = new X(); $y = new \A\X(); echo $x->f(), $y->f(), "\n"; }
