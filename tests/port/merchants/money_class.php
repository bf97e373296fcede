<?php
function part0()
{
    $d = ['z' => null, 'f' => false, 'e' => '', 'zero' => 0];
    foreach (['z', 'f', 'e', 'zero', 'missing'] as $k) {
        echo isset($d[$k]) ? 'I' : '-', empty($d[$k]) ? 'E' : '-', $d[$k] ?? 'D', array_key_exists($k, $d) ? 'K' : '-', ' ';
    }
}
part0();
echo "\n";
class Cfg {
    private static $inst;
    private $d = [];
    public static function get() {
        if (self::$inst === null) {
            self::$inst = 'made';
        }
        return self::$inst;
    }
    public function __construct(array $d) {
        $this->d = array_merge(['timeout' => 5, 'debug' => false], $d);
    }
    public function opt($k) {
        return $this->d[$k] ?? null;
    }
}
echo Cfg::get(), Cfg::get();
$c = new Cfg(['debug' => true]);
echo $c->opt('timeout'), $c->opt('debug') ? 'dbg' : '', $c->opt('x') ?? 'null';
echo "\n";
class Money {
    private int $fen;
    public function __construct(float $yuan) {
        $this->fen = (int) round($yuan * 100);
    }
    public function add(Money $o): Money {
        return new Money(($this->fen + $o->fen()) / 100);
    }
    public function fen(): int {
        return $this->fen;
    }
    public function text(): string {
        return number_format($this->fen / 100, 2);
    }
}
$m = new Money(19.99);
echo $m->add(new Money(0.01))->text(), $m->fen(), $m->text();
echo "\n";
function part3()
{
    echo (int) '12abc', (float) '1.5e3abc', '12' + 0, (int) 12.99, (int) '-5', (int) ' 7', intval('010'), intval('1e1'), (int) null, (int) true, (string) 007, 0b11, 0x1f, 1_000;
}
part3();
echo "\n";
