<?php
// Pieces of PHP, each behind functions.php in a program of its own. Their first lines are their names.
// These are listed.

// a key that appears twice
$b = ["k" => save(1), "k" => save(2)];
echo json_encode($b), "\n";

// the result of printf
if (printf("%s\n", "a")) { echo "b\n"; }

// a counter that is read in the same sum
$i = 5; $a = [1, 2, 3, 4, 5, 6, 7];
echo $i + $i++, "\n";

// a text that a call extends, with a key that is a call
$t = ["k" => "a"];
$t[label("k")] .= "c";
echo json_encode($t), "\n";

// an element that is changed, with a key that is a call
$t = ["k" => 1];
$t[label("k")]++;
$t[label("k")] ??= 5;
echo json_encode($t), "\n";

// a function of PHP that is written twice
echo json_encode(ctype_digit(label("12"))), "\n";

// arguments in another order than that of PHP
echo implode(",", [label("a"), label("b")]), str_replace(label("a"), label("b"), label("abc")), "\n";
echo substr(label("abcdef"), save(1), save(2)), str_pad(label("x"), save(3), label("0"), STR_PAD_LEFT), in_array(save(2), [save(1), save(2)]) ? "in" : "out", "\n";

// a result that is sometimes none
function f1() { return nothing("in"); }
var_dump(f1());
function f2($x) { if ($x) { return nothing("x"); } return 5; }
var_dump(f2(true), f2(false));

// a next key after one that is a call
$a = [save(1) => save(2), label("k") => label("v"), save(3)];
echo json_encode($a), "\n";

// a counter in the condition of a loop
$i = 3;
while ($i-- > 0) { echo $i, "\n"; }
echo $i, "\n";

// a value that is searched in a result
echo count(rows(1)), strlen(label("abc")), json_encode(in_array(save(1), rows(1))), "\n";

// a text that is replaced
echo str_replace(label("a"), label("b"), label("abc")), "\n";

// a key that is searched in a result
echo json_encode(array_key_exists(label("n"), rows(1))), "\n";

// a switch of a call
switch (save(2)) { case 1: echo "a"; break; case 2: echo "b"; break; }

// gettype of a call
var_dump(gettype(save(1)));

// an element that the same sum assigns
$a = ["x" => 1];
$b = $a["x"] + ($a["x"] = 5);
echo $b, "\n";

// a variable that the same sum assigns
$a = 1;
$b = $a + ($a = 5);
echo $b, "\n";

// elements that are exchanged
$a = [3, 1];
[$a[0], $a[1]] = [$a[1], $a[0]];
echo json_encode($a), "\n";

// keys of unpacked arrays that are calls
[label("a") => $p, label("b") => $q] = rows(1) + ["a" => 1, "b" => 2];
echo $p, $q, "\n";

// named arguments in another order
function d2($a, $b) { return $a . $b; }
echo d2(b: save(1), a: save(2)), "\n";

// a loop with two counters
for ($i = 0, $n = save(2); $i < $n; $i++) { echo $i; }
for ($i = save(0); $i < count(rows(1)); $i++) { echo $i; }

// print as a value
echo print_r(save(1), true), json_encode(print("x")), "\n";

// the number of written bytes
$r = file_put_contents("/tmp/wxp_order_test", "abc");
echo $r, "\n";

// a written file as a condition
if (file_put_contents("/tmp/wxp_order_test", "abc")) { echo "t\n"; }

// a removed file as a condition
if (unlink("/tmp/wxp_none_here")) { echo "t\n"; } else { echo "f\n"; }

// the results of usleep and error_log
var_dump(usleep(1) === null, error_log("") === true);

// a sorted array as a condition
$a = [2, 1];
if (ksort($a)) { echo "sorted\n"; }

// the number of elements after array_push
$a = [2, 1];
echo array_push($a, save(3)), json_encode($a), "\n";

// a static property as the key of a changed element
class C8 { public static $n = 1; public static function up() { self::$n = self::$n + 1; return self::$n; } }
$a = [1,2,3,4]; $a[C8::$n] += C8::up(); echo json_encode($a);
