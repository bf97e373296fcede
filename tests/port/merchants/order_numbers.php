<?php
function part0()
{
    $list = ['b' => 2, 'a' => 1];
    foreach ($list as $k => $v) {
        if ($v === 1) {
            unset($list[$k]);
        }
    }
    echo json_encode($list), count($list);
}
part0();
echo "\n";
function part1()
{
    $ts = 1600000000;
    $nonce = 'abc';
    $msg = "GET\n/v3/x?a=1\n$ts\n$nonce\n\n";
    echo strlen($msg), md5($msg), $ts . "\n" . $nonce;
}
part1();
echo "\n";
function part2()
{
    $xml = '<xml>';
    foreach (['a' => 1, 'b' => '<x>'] as $k => $v) {
        $xml .= is_numeric($v) ? "<$k>$v</$k>" : "<$k><![CDATA[$v]]></$k>";
    }
    $xml .= '</xml>';
    echo $xml;
}
part2();
echo "\n";
function part3()
{
    $no = 'ORD' . str_pad((string) 42, 6, '0', STR_PAD_LEFT) . substr(md5('x'), 0, 4);
    echo $no, strlen($no), strtoupper(substr($no, -4));
}
part3();
echo "\n";
