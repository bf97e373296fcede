<?php
class Lazy
{
    public $state = 'new';
    public $n = 0;
    public function __construct($n = null)
    {
        if ($n === null) {
            return;
        }
        $this->n = $n;
        $this->state = 'set';
    }
}
$a = new Lazy();
$b = new Lazy(4);
echo $a->state, $a->n, $b->state, $b->n, "\n";
