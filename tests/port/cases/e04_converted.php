<?php
class C
{
    private bool $flag = false;
    private int $number = 0;
    private $kept = null;

    public function shown(bool $flag)
    {
        return "flag $flag";
    }

    public function both($value, $other)
    {
        $this->number = $other;
        $this->kept = $other;
        echo json_encode($this->shown($value)), ' ', $this->number, "\n";
        return [$value, $other, $this->kept];
    }
}

function whole(int $number)
{
    return $number;
}

function given($value)
{
    return [whole($value), $value];
}

$c = new C();
echo json_encode($c->both('68', '012')), "\n";
echo json_encode(given('7.0')), "\n";
