<?php
trait Counts
{
    private $count = 0;
    public function hit($by = 1) { $this->count += $by; return $this->count; }
    public function who() { return self::class; }
}
class Page
{
    use Counts;
    public $name = 'page';
    public function show() { return $this->name . $this->hit(); }
}
$p = new Page();
echo $p->show(), $p->show(), "\n";
echo $p->hit(5), "\n";
