<?php
class A
{
    public $items = ['a', 'b'];
    public $n = 2;
    private $seen = [];
    private function note(array $items, $n, string $s) { $this->seen[] = count($items) . $n . $s; $this->n++; }
    public function go()
    {
        $this->note($this->items, $this->n, $this->items[0]);
        foreach ($this->items as $k => $item) { $this->items[] = $item . $k; $this->note($this->items, $this->n, $item); }
        return implode(' ', $this->seen) . json_encode($this->items);
    }
}
$a = new A();
echo $a->go(), "\n";
