<?php
class Order { public string $no; public int $total; protected array $items = []; const RATE = 0.006; private ?string $memo = null;
 public function __construct(string $no, float $yuan) { $this->no = $no; $this->total = (int) round($yuan * 100); }
 public function add(string $name, $price, int $qty = 1): self { $this->items[] = ['name' => $name, 'price' => $price, 'qty' => $qty]; $this->total += (int) round($price * 100) * $qty; return $this; }
 public function fee(): float { return round($this->total * self::RATE, 2); }
 public function toArray(): array { return ['no' => $this->no, 'total' => $this->total, 'fee' => $this->fee(), 'items' => $this->items, 'memo' => $this->memo ?? 'none']; } }
$o = new Order('A1', 19.99); $o->add('x', 0.29, 3)->add('y', '1.15'); echo json_encode($o->toArray()), "\n";
