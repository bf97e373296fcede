<?php

namespace app\model;

class Order
{
    public static function __callStatic($name, $given)
    {
        return $name === 'query' || $given[0] ? new self() : null;
    }

    public function __call($name, $given)
    {
        return $name === 'no' ? 'A1' : self::__callStatic($name, $given);
    }
}
