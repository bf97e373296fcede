<?php
namespace Shop\Util;

const CENTS = 100;

class Money
{
    public static function yuan(int $fen): string
    {
        return number_format($fen / CENTS, 2, '.', '');
    }
}
?>
