<?php
class Config
{
    public $values;
    private $name;
    private ?string $extra = null;
    public bool $ready = false;
    public function __construct(array $values, string $name = 'main')
    {
        $this->values = $values;
        if (isset($values['extra'])) {
            $this->extra = $values['extra'];
        }
        $this->name = strtoupper($name);
        $this->check();
        $this->ready = true;
    }
    private function check()
    {
        if (count($this->values) > 2) {
            throw new \InvalidArgumentException('too many in ' . $this->name);
        }
    }
    public function describe() { return $this->name . '|' . ($this->extra ?? 'none') . '|' . ($this->ready ? 'y' : 'n'); }
}
echo (new Config(['a' => 1]))->describe(), "\n";
echo (new Config(['a' => 1, 'extra' => 'e'], 'x'))->describe(), "\n";
try {
    new Config([1, 2, 3]);
} catch (\InvalidArgumentException $e) {
    echo $e->getMessage(), "\n";
}
