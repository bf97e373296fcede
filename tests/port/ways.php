<?php
// Every way out of a try runs its finally, and texts are compared as PHP compares them.

function fail(string $why): void
{
    throw new \RuntimeException($why);
}

function returned(bool $bad): string
{
    try {
        if ($bad) {
            fail('returned');
        }
        echo 'body ';
    } catch (\Exception $e) {
        return 'caught ' . $e->getMessage();
    } finally {
        echo 'finally ';
    }
    return 'after';
}

function whole(bool $bad): string
{
    try {
        if ($bad) {
            fail('whole');
        }
        return 'body';
    } catch (\Exception $e) {
        return $e->getMessage();
    } finally {
        echo 'finally ';
    }
}

function passed(): void
{
    try {
        fail('passed on');
    } catch (\InvalidArgumentException $e) {
        echo 'wrong catch';
    } finally {
        echo 'finally ';
    }
    echo 'not reached';
}

function bare(): void
{
    try {
        fail('bare');
    } finally {
        echo 'finally ';
    }
}

function again(): void
{
    try {
        fail('first');
    } catch (\Exception $e) {
        fail('second, after ' . $e->getMessage());
    } finally {
        echo 'finally ';
    }
}

foreach ([true, false] as $bad) {
    $answer = returned($bad);
    echo $answer, "\n";
    $answer = whole($bad);
    echo $answer, "\n";
}
try {
    passed();
} catch (\Exception $e) {
    echo $e->getMessage(), "\n";
}
try {
    bare();
} catch (\Exception $e) {
    echo $e->getMessage(), "\n";
}
try {
    again();
} catch (\Exception $e) {
    echo $e->getMessage(), "\n";
}
$closed = 0;
foreach (['a', 'b', 'c'] as $name) {
    try {
        if ($name === 'b') {
            fail($name);
        }
        echo $name;
    } catch (\Exception $e) {
        continue;
    } finally {
        $closed++;
        echo '.';
    }
    echo ' end ';
}
echo $closed, "\n";
for ($i = 0; $i < 5; $i++) {
    try {
        if ($i === 2) {
            break;
        }
        echo $i;
    } finally {
        echo ';';
    }
}
echo "\n";
$order = json_decode('{"time": "2024-05-01T10:00:00+08:00", "fee": "100", "long": "4200002024050112345678901234", "count": 7, "none": null}', true);
$deadline = '2024-05-02T10:00:00+08:00';
echo $order['time'] < $deadline ? 'early' : 'late', $order['time'] > '2024-04-30' ? 'after' : 'before', "\n";
echo $order['fee'] > '99' ? 'a' : 'b', $order['fee'] < '99x' ? 'a' : 'b', $order['fee'] >= 100 ? 'a' : 'b', "\n";
echo $order['count'] < 'abc' ? 'a' : 'b', $order['count'] > '6.5' ? 'a' : 'b', $order['count'] <= 7 ? 'a' : 'b', "\n";
echo $order['none'] < 'a' ? 'a' : 'b', $order['none'] > 0 ? 'a' : 'b', "\n";
echo $order['long'] == '4200002024050112345678901235' ? 'a' : 'b', $order['long'] < '4200002024050112345678901235' ? 'a' : 'b', "\n";
echo 'a' <=> 'b', ' ', '10' <=> '9', ' ', '10' <=> '9a', ' ', $order['time'] <=> $deadline, ' ', $order['count'] <=> 7, "\n";
function same(string $one, string $other): string
{
    return ($one == $other ? 'same' : 'other') . ($one < $other ? ' less' : ' not less') . ($one != '0.0' ? ' some' : ' none');
}
foreach (['0', '0.00', '', 'abc', '10', '1e1', ' 10', '10 ', '0x0A', '.5', 'inf', '-0'] as $one) {
    echo same($one, '10'), ', ', same('abc', $one), ', ', same($one, '1e1'), ', ', same('0.0', $one), "\n";
}
