<?php
class C {
    private static $map = [];
    public static function get($k) {
        if (!isset(self::$map[$k])) {
            return 'no';
        }
        return self::$map[$k];
    }
}
echo C::get('a');
echo "\n";
function part1()
{
    $a = ['x' => 1];
    foreach ($a as $k => $v) {
        $a['y' . $v] = 2;
    }
    echo json_encode($a);
}
part1();
echo "\n";
function part2()
{
    $a = [1, 2, 3];
    $b = $a;
    $b[] = 4;
    echo count($a), count($b);
}
part2();
echo "\n";
function part3()
{
    $a = ['b' => 1, 'a' => 2];
    $b = ['a' => 9, 'c' => 3];
    echo json_encode($a + $b), json_encode(array_merge($a, $b)), json_encode([...$a, ...$b]);
}
part3();
echo "\n";
function part4()
{
    $x = "5";
    $y = "10";
    echo $x < $y ? 'lt' : 'ge', "abc" < "abd" ? 1 : 0, [1, 2, 3] > [1, 2] ? 1 : 0, null < 1 ? 1 : 0, "a" < 5 ? 1 : 0, "10" < "9a" ? 1 : 0, 1.5 < '1.50' ? 1 : 0;
}
part4();
echo "\n";
