<?php
final class Item
{
    public function __construct(private string $name, public readonly int $price = 3, protected array $tags = [])
    {
        $this->name = trim($name);
        $this->tags[] = 'new';
    }
    public function text(): string { return $this->name . '@' . $this->price . ' ' . implode('/', $this->tags); }
}
$i = new Item(' tea ');
echo $i->text(), ' ', $i->price, "\n";
$j = new Item('cup', 9, ['a']);
echo $j->text(), "\n";
