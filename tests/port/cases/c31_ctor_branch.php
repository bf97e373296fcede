<?php
class W
{
    private $a;
    private string $b;
    private $c = 'dflt';
    public function __construct(array $config)
    {
        if (!empty($config['a']) && !empty($config['b'])) {
            $this->a = $config['a'];
            $this->b = $config['b'];
        } else {
            throw new \Exception('missing');
        }
        if ($config['c'] ?? false) { $this->c = $config['c']; }
    }
    public function show() { return "$this->a $this->b $this->c"; }
}
echo (new W(['a' => 'x', 'b' => 'y']))->show(), "\n";
echo (new W(['a' => 'x', 'b' => 'y', 'c' => 'z']))->show(), "\n";
try { new W([]); } catch (\Exception $e) { echo $e->getMessage(), "\n"; }
