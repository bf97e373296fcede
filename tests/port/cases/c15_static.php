<?php
class S
{
    private static $instance;
    public static $count = 0;
    public $id;
    private function __construct() { self::$count++; $this->id = self::$count; }
    public static function get() { if (self::$instance === null) { self::$instance = new self(); } return self::$instance; }
}
echo S::get()->id, S::get()->id, S::$count, "\n";
