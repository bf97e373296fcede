<?php

class Shop
{
    private string $id;
    private int $fee;
    private ?string $note;
    private string $name = 'shop';

    public function set($id): void
    {
        $this->id = $id;
        $this->fee = 12;
    }

    public function show(): string
    {
        $id = $this->id ?? 'none';
        $fee = $this->fee ?? -1;
        $note = $this->note ?? 'no note';
        $isSet = isset($this->id) ? 'set' : 'not set';
        $isEmpty = empty($this->fee) ? 'empty' : 'not empty';
        return $id . ' ' . $fee . ' ' . $note . ' ' . $isSet . ' ' . $isEmpty . ' ' . ($this->name ?? 'no name');
    }
}

$shop = new Shop();
echo $shop->show(), "\n";
$shop->set(1900000109);
echo $shop->show(), "\n";
