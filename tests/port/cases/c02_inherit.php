<?php
abstract class Base
{
    const NAME = 'base';
    protected $log = [];
    protected $prefix = 'b';
    public function run($x)
    {
        $this->log[] = $this->prefix . ':' . $this->step($x);
        return implode(',', $this->log);
    }
    abstract protected function step($x);
    public function name() { return self::NAME . '/' . static::NAME; }
    protected function twice($x) { return $x * 2; }
}
class Child extends Base
{
    const NAME = 'child';
    protected $prefix = 'c';
    protected function step($x) { return $this->twice($x) + 1; }
    protected function twice($x) { return parent::twice($x) * 10; }
}
class Other extends Base
{
    protected function step($x) { return $this->twice($x); }
}
$c = new Child();
echo $c->run(1), "\n";
echo $c->run(2), "\n";
echo $c->name(), "\n";
$o = new Other();
echo $o->run(3), ' ', $o->name(), "\n";
