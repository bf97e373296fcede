<?php
// The parent of the gateways.

namespace Shop\Base;

use Shop\Util\Money;

abstract class Gateway
{
    use Logs;

    const CURRENCY = 'CNY';

    protected static int $created = 0;
    protected $name;

    public function __construct(string $name)
    {
        $this->name = $name;
        self::$created++;
    }

    public function describe(int $total): string
    {
        $this->log('describe');
        return $this->label() . ': ' . Money::yuan($total) . ' ' . static::CURRENCY . ' ' . self::$created;
    }

    protected function label()
    {
        return 'gateway ' . $this->name;
    }
}
