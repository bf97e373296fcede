<?php
class A1 {} class B1 extends A1 {}
function f($x) { return $x instanceof A1 ? 'a' : 'n'; }
echo f(new B1()), f(3), "\n";
