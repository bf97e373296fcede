<?php
class M1 { public static function create() { return new static(); } public function name() { return 'm1'; } public static function kind() { return 'k1'; } public function k() { return static::kind() . self::kind(); } }
class M2 extends M1 { public function name() { return 'm2'; } public static function kind() { return 'k2'; } }
echo M1::create()->name(), M2::create()->name(), (new M2())->k(), (new M1())->k(), "\n";
