<?php

namespace Shop\Base;

trait Logs
{
    private array $lines = [];

    protected function log(string $line): void
    {
        $this->lines[] = $this->name . ' ' . $line;
    }

    public function lines(): array
    {
        return $this->lines;
    }
}
