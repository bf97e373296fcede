<?php

declare(strict_types=1);

namespace Shop;

use Shop\Base\Gateway as Base;

/** A gateway. */
class WeChat extends Base
{
    const CURRENCY = 'HKD';

    private ?string $last = null;

    public function __construct()
    {
        parent::__construct('wechat');
    }

    protected function label()
    {
        return parent::label() . '!';
    }

    public function pay(string $no, int $total): array
    {
        $this->log('pay ' . $no);
        $this->last = $no;
        return ['no' => $no, 'text' => $this->describe($total), 'last' => $this->last];
    }
}
