<?php
function part0()
{
    $x = 5;
    $r = $x > 3 ? 'a' : 'b';
    $s = $x ?: 'c';
    $t = null ?: 'd';
    $u = '' ?: 0 ?: 'e';
    echo $r, $s, $t, $u;
    $v = $x === 5 ? ($x > 4 ? 'in' : 'out') : 'none';
    echo $v;
    $z = !$x;
    echo $z ? 'T' : 'F', !0 ? 1 : 0, !!'a', -(-$x), +'5' + 1;
}
part0();
echo "\n";
class Q {
    private $data;
    public function __construct(array $d = []) {
        $this->data = $d;
    }
    public function get($k, $default = null) {
        return $this->data[$k] ?? $default;
    }
    public function total() {
        return array_sum(array_column($this->data['items'] ?? [], 'amount'));
    }
}
 $q = new Q(['a' => 0, 'items' => [['amount' => 1.5], ['amount' => '2']]]);
echo $q->get('a', 9), $q->get('z', 9), $q->get('z') ?? 'nil', $q->total();
echo "\n";
abstract class Base {
    abstract protected function name(): string;
    public function hi() {
        return 'hi ' . $this->name() . static::class;
    }
}
 class Sub extends Base {
    protected function name(): string {
        return 'sub';
    }
}
echo (new Sub())->hi();
echo "\n";
function part3()
{
    try {
        try {
            throw new \RuntimeException('inner', 5);
        } catch (\LogicException $e) {
            echo 'no';
        } finally {
            echo 'f1';
        }
    } catch (\Exception $e) {
        echo $e->getMessage();
    }
}
part3();
echo "\n";
