<?php
class T
{
    public int $n = 0;
    public ?int $m = null;
    public string $s = '';
    public float $f = 0.0;
    public bool $b = false;
    public function fill(array $d)
    {
        $this->n = $d['n'];
        $this->m = $d['m'];
        $this->s = $d['s'];
        $this->f = $d['f'];
        $this->b = $d['b'];
    }
}
$t = new T();
$t->fill(['n' => '12', 'm' => null, 's' => 4.5, 'f' => 3, 'b' => 'x']);
echo json_encode([$t->n, $t->m, $t->s, $t->f, $t->b]), "\n";
$t->fill(['n' => 1, 'm' => '7', 's' => 'q', 'f' => '1.5', 'b' => 0]);
echo json_encode([$t->n, $t->m, $t->s, $t->f, $t->b]), "\n";
