<?php
// Functions and conditions as PHP writes them. The program that is made of this must print what PHP prints.

function total(array $lines, int $discount = 0): int
{
    $total = 0;
    foreach ($lines as $line) {
        $total += $line['price'] * $line['count'];
    }
    return $total - $discount;
}

function describe(string $state): string
{
    if ($state === 'SUCCESS') {
        return 'paid';
    } elseif ($state === 'REFUND' || $state === 'REVOKED') {
        return 'back';
    } else {
        return 'open';
    }
}

function orderOf(string $outTradeNo, int $total, ?string $attach = null): array
{
    $order = ['out_trade_no' => $outTradeNo, 'amount' => ['total' => $total]];
    if ($attach !== null) {
        $order['attach'] = $attach;
    }
    return $order;
}

function fail(string $why): void
{
    throw new \RuntimeException("refused: $why");
}

function sign($type = 'RSA')
{
    switch ($type) {
        case 'RSA':
            return 'rsa';
        case 'MD5':
        case 'HMAC':
            return 'hash';
        default:
            return 'none';
    }
}

$lines = [['price' => 100, 'count' => 2], ['price' => 5, 'count' => 1]];
echo total($lines), ' ', total($lines, 5), ' ', total([]), "\n";
echo describe('SUCCESS'), describe('REFUND'), describe('NOTPAY'), "\n";
echo json_encode(orderOf('1', 2)), json_encode(orderOf('1', 2, 'x')), "\n";
echo sign(), sign('HMAC'), sign('x'), "\n";
try {
    fail('no money');
    echo 'not reached';
} catch (\InvalidArgumentException $e) {
    echo 'wrong catch';
} catch (\Exception $e) {
    echo $e->getMessage(), "\n";
} finally {
    echo "finally\n";
}
$double = static fn (int $n): int => $n * 2;
$prefix = 'no-';
$named = function (string $name) use ($prefix): string {
    return $prefix . $name;
};
echo $double(21), $named('1'), $named('2'), "\n";
for ($i = 0; $i < 3; $i++) {
    echo $i;
}
$n = 3;
while ($n > 0) {
    $n--;
    if ($n === 1) {
        break;
    }
    echo $n;
}
do {
    $n += 5;
} while ($n < 10);
echo $n, "\n";
$a = 5;
$b = $a > 3 ? 'large' : 'small';
$c = $a ?: 'zero';
$d = !($a < 3) && ($a !== 4 || false) ? 1 : 0;
echo $b, $c, $d, $a <=> 3, "\n";
$state = 'NOTPAY';
echo match ($state) {
    'SUCCESS' => 'paid',
    'NOTPAY', 'USERPAYING' => 'open',
    default => 'unknown',
}, "\n";
$total = 0;
foreach ([1, 2, 3] as $number) {
    if ($number % 2 === 0) {
        continue;
    }
    $total += $number;
}
echo $total, (string) $total . '0', (int) '12abc', (float) '1.5', (bool) '0' ? 'yes' : 'no', "\n";
$x = $y = 7;
echo $x + $y, "\n";
$count = 0;
$count++;
++$count;
echo $count, $count++ + 1, $count, "\n";
