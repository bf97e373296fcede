<?php
$amount = '12.345';
echo bcmul($amount, '100', 0), ' ', bcadd($amount, '0.1', 2), ' ', bcsub('1', $amount, 3), "\n";
echo bcdiv('1', '3', 4), ' ', bcdiv($amount, '-1', 1), ' ', bccomp($amount, '12.34', 2), ' ', bccomp('2', '10', 0), "\n";
echo bcadd(1, 2.5, 1), ' ', bcsub('0.001', '0.002', 2), "\n";
