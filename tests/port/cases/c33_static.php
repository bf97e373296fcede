<?php
class Base { protected static $shared = 0; public static $names = ['x' => 1]; public static function add() { self::$shared++; static::$shared += 2; return self::$shared; } }
class A extends Base { public static function show() { return self::$shared . '/' . parent::$shared . json_encode(static::$names) . count(Base::$names); } }
class B extends Base { protected static $shared = 100; public static function show() { return self::$shared . '/' . parent::$shared; } }
class Conf
{
    private static $instance;
    private static string $tag = 't';
    private $v;
    private function __construct($v) { $this->v = $v; }
    public static function get() { if (self::$instance === null) { self::$instance = new self(count(Base::$names)); self::$tag .= '+'; } return self::$instance; }
    public function v() { return $this->v . self::$tag; }
    public static function reset() { self::$instance = null; return isset(self::$instance) ? 'set' : 'unset'; }
}
echo A::add(), B::add(), "\n";
echo A::show(), ' ', B::show(), "\n";
Base::$names = ['y' => 2, 'z' => 3];
echo A::show(), "\n";
echo Conf::get()->v(), Conf::get()->v(), Conf::reset(), Conf::get()->v(), "\n";
