<?php

namespace app\model;

class Order implements \ArrayAccess
{
    private $values = ['no' => 'A1', 'zero' => 0, 'nothing' => null, 'list' => ['b' => 2]];

    public function offsetExists($key): bool
    {
        echo "exists $key\n";
        // Unlike an array, which has no value where it has null.
        return array_key_exists($key, $this->values);
    }

    #[\ReturnTypeWillChange]
    public function offsetGet($key)
    {
        echo "get $key\n";
        return $this->values[$key] ?? null;
    }

    public function offsetSet($key, $value): void
    {
        echo 'set ', $key ?? 'end', ' ', json_encode($value), "\n";
        $this->values[$key ?? 'end'] = $value;
    }

    public function offsetUnset($key): void
    {
        echo "unset $key\n";
        unset($this->values[$key]);
    }
}
