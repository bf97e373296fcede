<?php
function part0()
{
    echo json_encode(0.1), json_encode(1/3), json_encode(1e100), json_encode(100.0), json_encode([1.0, 0.30000000000000004]), json_encode('é/'), json_encode(19.99 * 100), json_encode(['k' => 8.0 * 2]);
}
part0();
echo "\n";
function part1()
{
    echo var_export(1.5, true), var_export('a', true), var_export("it's \\ x", true), var_export(true, true), var_export(null, true), var_export(1e50, true), var_export(-0.0, true), var_export([], true), var_export(0.1 + 0.2, true), var_export(100.0, true);
}
part1();
echo "\n";
function part2()
{
    echo print_r([], true), print_r(['a' => []], true), print_r('x', true), print_r(1.0, true), print_r(false, true), print_r(null, true), '.';
}
part2();
echo "\n";
function part3()
{
    $order = ['no' => 'A', 'sub' => ['x' => 1]];
    ['no' => $n, 'sub' => ['x' => $x]] = $order;
    echo $n, $x;
}
part3();
echo "\n";
function part4()
{
    foreach (['a' => 1] as $k => $v): echo $k, $v;
    endforeach;
    if (true): echo 'y';
    else: echo 'n';
    endif;
}
part4();
echo "\n";
