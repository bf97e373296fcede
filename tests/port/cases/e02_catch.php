<?php
function total($value)
{
    try {
        if ($value === null) {
            throw new \InvalidArgumentException('no value');
        }
        return 5 + $value;
    } catch (\Exception $e) {
        return 'exception: ' . $e->getMessage();
    }
}

function divided($a, $b)
{
    try {
        if ($b === 'x') {
            throw new \RuntimeException('x');
        }
        return intdiv($a, $b);
    } catch (\Error $e) {
        return 'error';
    }
}

echo total(2), "\n", total(null), "\n", divided(7, 2), "\n", divided(7, 0), "\n";
try {
    echo total([]), "\n";
} catch (\Throwable $e) {
    echo "not caught inside\n";
}
try {
    echo divided(1, 'x'), "\n";
} catch (\Exception $e) {
    echo 'passed on: ', $e->getMessage(), "\n";
}
try {
    throw new \Error('own');
} catch (\Exception $e) {
    echo "wrong\n";
} catch (\Error $e) {
    echo 'own error: ', $e->getMessage(), "\n";
}
