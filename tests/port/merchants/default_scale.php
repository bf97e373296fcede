<?php
$yuan = '12.345';
echo bcmul($yuan, '100'), ' ', bcadd('0.9', '0.9'), ' ', bcsub('1', $yuan), ' ', bcdiv('10', '4'), "\n";
echo bccomp('1.9', '1.1'), ' ', (int) bcmul('19.99', '100'), "\n";
