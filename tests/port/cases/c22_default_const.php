<?php
class K
{
    const TYPE = 'MD5';
    const SIZE = 2 * 8;
    public $type = self::TYPE;
    public $size = self::SIZE;
    public function f($t = self::TYPE, $opts = ['a' => self::SIZE]) { return $t . json_encode($opts) . $this->type . $this->size; }
    public static function make(string $t = self::TYPE): string { return $t; }
}
$k = new K();
echo $k->f(), $k->f('x', []), K::make(), K::make('q'), "\n";
