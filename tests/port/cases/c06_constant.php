<?php
class Money
{
    private int $fen;
    public function __construct(int $fen) { $this->fen = $fen; }
    public function plus(Money $other): Money { return new Money($this->fen + $other->fen); }
    public function times($n): Money { return new Money((int)round($this->fen * $n)); }
    public function fen(): int { return $this->fen; }
}
function total(Money $a, Money $b): Money { return $a->plus($b)->times(1.5); }
$a = new Money(100);
$b = $a;
$c = $b->plus($a);
echo total($c, $a)->fen(), ' ', $b->fen(), "\n";
