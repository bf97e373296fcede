<?php
// Pieces of PHP, each behind functions.php in a program of its own. Their first lines are their names.
// These print the same as Rust.

// tests whose result the types decide
if (save(1) !== null) { echo "A\n"; }
if (save(2) === "2") { echo "B\n"; } else { echo "C\n"; }
if (!(label("x") !== null)) { echo "D\n"; }
if (is_null(save(3))) { echo "E\n"; }
if (is_int(save(4))) { echo "F\n"; }
if (is_string(save(5))) { echo "G\n"; }
$ok = flag(true) && save(6) !== null;
echo json_encode($ok), "\n";
$b = is_array(rows(7));
echo json_encode($b), "\n";
$c = save(8) === null || label("y") === null;
echo json_encode($c), "\n";
echo (save(9) === null) ? "null" : "set", "\n";
echo json_encode(null === save(10)), json_encode("1" === save(11)), "\n";

// the result of a function without one
if (nothing("a")) { echo "true\n"; } else { echo "false\n"; }
if (!nothing("b")) { echo "not\n"; }
$x = nothing("c");
echo json_encode($x), "\n";
echo "[", nothing("d"), "]\n";
echo "[" . nothing("e") . "]\n";
if (nothing("f") === null) { echo "null\n"; }
if (is_null(nothing("g"))) { echo "is null\n"; }
$y = ["k" => nothing("h")];
echo json_encode($y), "\n";
echo json_encode(any(nothing("i"))), "\n";
echo nothing("j") ?? "default", "\n";
echo nothing("k") ?: "other", "\n";
echo nothing("l") ? "t" : "f", "\n";
$z = nothing("m") . "text";
echo $z, "\n";
var_dump((bool) nothing("n"));
var_dump(empty($x));
$n = 1 + (int) nothing("o");
echo $n, "\n";
flag(true) && nothing("p");
flag(false) || nothing("q");
echo json_encode(ends(1)), json_encode(ends(2)), "\n";
while (nothing("r")) { echo "loop\n"; }
if (nothing("s") == false && nothing("t") == "") { echo "loose\n"; }
echo json_encode([nothing("u"), nothing("v") === nothing("w")]), "\n";

// keys before the value
$b = [];
$b[label("k")] = save(1);
$b[label("a")][label("b")] = save(2);
$b[] = save(3);
$b["x"][] = save(4);
$b["y"][save(5)] = any([save(6), save(7)]);
echo json_encode($b), "\n";

// comparisons
echo json_encode(any(5) > any(3)), json_encode(any(5) >= any(5)), json_encode(any(5) < any(3)), json_encode(any(5) <= any(3)), "\n";
echo json_encode(any("5") == any(5)), json_encode(any(true) === any(1)), json_encode(save(1) === any(1)), json_encode(label("a") === any("a")), json_encode(label("a") == any("a")), json_encode(flag(true) == any(2)), "\n";
echo any(3) <=> any(4), "\n";
echo json_encode(flag(true) === any(true)), json_encode(flag(true) xor flag(false)), "\n";
echo label("a") . save(1) . label("b"), "\n";

// the other side of ??
$x = any(1) ?? ["k" => save(2)];
echo json_encode($x), "\n";
$x = any(null) ?? ["k" => save(3)];
echo json_encode($x), "\n";
$y = any(null) ?? label("z");
echo $y, "\n";
$y = any("q") ?? label("z");
echo $y, "\n";

// unpacked arrays
[$a, $b] = [save(1), save(2)];
echo $a, $b, "\n";
["p" => $c, "q" => $d] = ["q" => save(3), "p" => save(4)];
echo $c, $d, "\n";
$l = [[1, 2], [3, 4]];
[$e, $f] = $l[save(1)];
echo $e, $f, "\n";

// bounds that are calls
function limit(): int { echo "limit\n"; return 3; }
class L { private static $n = 3; public static function limit() { echo "limit\n"; return self::$n; } public static function less() { self::$n = self::$n - 1; return 0; } public static function all() { for ($i = 0; $i < self::$n; $i++) { self::less(); echo $i, "\n"; } } }
for ($i = 0; $i < limit(); $i++) { echo $i, "\n"; }
for ($i = 0; $i < L::limit(); $i++) { echo $i, "\n"; }
L::all();

// properties that the call changes
class N { public $n = 3; public $s = "a"; public $l = [];
  public function dec() { $this->n = $this->n - 1; return 1; }
  public function text() { $this->s = $this->s . "b"; return "c"; }
  public function run() { for ($i = 0; $i < $this->n; $i++) { $this->dec(); echo $i, "\n"; } }
  public function add() { $this->n += $this->dec(); echo $this->n, "\n"; $this->s .= $this->text(); echo $this->s, "\n"; }
  public function mixed($value) { $this->s .= $this->text(); $this->l[] = $this->text(); echo $value, $this->s, json_encode($this->l), "\n"; }
}
$n = new N();
$n->run();
$n->add();
$n->mixed("value");
class S { public static $n = 5; public static function dec() { self::$n = self::$n - 1; return 1; } public static function go() { self::$n += self::dec(); echo self::$n, "\n"; self::$n++; echo self::$n, "\n"; } }
S::go();

// a variable of the name value
$value = "kept";
$a = ["x" => 1, "y" => ["z" => 2]];
$a["x"] = $a["y"]["z"];
$a[] = $a["x"];
$a["w"]["v"] = $a;
echo $value, json_encode($a), "\n";

// conditions of loops, match and switch
$n = 0;
while (save($n) !== null && $n < 3) { $n++; }
do { $n--; } while (label("x") !== null && $n > 0);
$r = match (true) { save(1) === null => "a", is_string(label("m")) => "b", default => "c" };
echo $r, "\n";
switch (true) { case save(5) === null: echo "p\n"; break; case is_int(save(6)): echo "q\n"; break; default: echo "r\n"; }

// methods that return their object
class F { public $l = []; public function add($x) { $this->l[] = $x; return $this; } public function size() { return count($this->l); } public function twice($x) { if ($this->add($x)) { $this->add($x); } return $this->size(); } }
$f = new F();
if ($f->add(1)) { echo "object\n"; }
if (!$f->add(2)) { echo "never\n"; }
$ok = $f->add(3) && true;
echo json_encode($ok), $f->size(), "\n";
echo $f->add(4) ? "y" : "n", $f->size(), "\n";
echo $f->twice(9), "\n";
var_dump((bool) $f->add(5), $f->add(6) !== null, empty($f->add(7)), is_null($f->add(8)));
echo $f->size(), "\n";

// names that are equal in Rust
function both($userId, $user_id) { return $userId . "-" . $user_id; }
function locals() { $userId = 1; $user_id = 2; $UserID = 3; return [$userId, $user_id, $UserID]; }
echo both(1, 2), json_encode(locals()), "\n";
class P { private $userId; private $user_id; public function __construct($userId, $user_id) { $this->userId = $userId; $this->user_id = $user_id; } public function all() { return $this->userId . $this->user_id; } public function getAll() { return "g"; } public function get_all() { return "h"; } }
$p = new P("a", "b");
echo $p->all(), $p->getAll(), $p->get_all(), "\n";
$f = function ($aB, $a_b) { return $aB . $a_b; };
echo $f(1, 2), "\n";

// a function without a result as a number
$x = nothing("a") + 1;
echo $x, "\n";

// arguments without a value
function opt(?string $a = null, int $b = 2) { return $a . $b; }
echo opt(label("a"), save(1)), opt(nothing("x")), "\n";
$f = fn($x) => nothing($x);
echo json_encode($f("q")), "\n";
$g = function ($x) { nothing($x); };
echo json_encode($g("r")), "\n";
if ($g("s")) { echo "t\n"; }
return nothing("last");

// a text that a call extends
$s = "a"; 
$s .= label($s) . $s;
echo $s, "\n";
$t = ["k" => "a"];
$t["k"] .= label("b");
echo json_encode($t), "\n";

// an element that is changed
$t = ["k" => 1];
$t["n"] ??= save(1);
$t["n"] ??= save(2);
$t["n"] += save(3);
echo json_encode($t), "\n";

// arguments in order
$r = flag(true) ? save(1) : save(2);
echo $r, "\n";
$r = flag(false) ? save(1) : (flag(true) ? label("x") : save(3));
echo $r, "\n";
$u = any(0) ?: save(4);
echo $u, "\n";
echo max(save(1), save(2), save(3)), min(save(2), save(1)), "\n";
echo intdiv(save(7), save(2)), save(7) % save(3), save(2) ** save(3), save(7) / save(2), "\n";
printf("%s %d %s\n", label("p"), save(1), label("q"));
echo sprintf("%s-%s", label("p"), label("q")), "\n";
echo number_format(save(1234), save(2)), "\n";

// an exception in a test
try { $x = is_int(fails("a")); echo "never\n"; } catch (RuntimeException $e) { echo $e->getMessage(), "\n"; }

// an exception in a condition, with finally
try { if (save(1) !== null && fails("b") === null) { echo "n\n"; } } catch (RuntimeException $e) { echo "c\n"; } finally { echo "f", save(2), "\n"; }

// methods without a result
class V { public $n = 0; public function put($x): void { $this->n = $x; echo "put $x\n"; } public static function done() { echo "done\n"; } }
$v = new V();
if ($v->put(1)) { echo "t\n"; } else { echo "f\n"; }
var_dump($v->put(2) === null);
echo json_encode(["a" => $v->put(3), "b" => V::done()]), $v->n, "\n";
echo "<{$v->put(4)}>", V::done() . "x\n";

// a function that returns null, with a declared type
function g1(): ?string { echo "g1\n"; return null; }
var_dump(g1() === null, g1() ?? "d", (bool) g1(), empty(g1()));
if (g1()) { echo "t\n"; }
echo g1() . "|", strlen(g1() ?? "abc"), "\n";

// a function that returns null
function h1() { echo "h1\n"; return null; }
var_dump(h1() === null, h1() ?? "d", (bool) h1());
if (!h1()) { echo "t\n"; }
echo h1(), "|", h1() . "x", "\n";
$x = h1();
var_dump($x, h1() == "", h1() == 0, h1() == false);

// sums
$x = save(1) + save(2) * save(3) - save(4);
echo $x, "\n";
echo save(9) - (save(1) + save(2)), "\n";

// elements of results
$x = rows(1)["n"] . rows(2)["list"][save(1)];
echo $x, "\n";

// keys of a new array
$a = [label("k") => label("v"), label("j") => save(2)];
echo json_encode($a), "\n";

// arrays in an array
$a = [...rows(1)["list"], save(7), ...rows(2)["list"]];
echo json_encode($a), "\n";

// merged arrays
$a = array_merge(rows(1), ["x" => save(2)], rows(3));
echo json_encode($a), "\n";

// echo
echo label("a"), save(1), nothing("b"), label("c") . nothing("d") . save(2), "\n";

// texts that are extended
$s = "x";
$s .= label("y") . save(1);
$s .= nothing("z");
echo $s, "\n";

// numbers that are changed
$n = 1;
$n += save(2);
$n -= save(3) * save(4);
$n *= 2;
echo $n, "\n";

// fractions that are changed
$n = 1.5;
$n += save(2);
$n /= save(2);
echo $n, "\n";

// counters as keys
$i = 0;
$a = [];
$a[$i++] = save(1);
$a[$i++] = save(2);
echo json_encode($a), $i, "\n";

// a counter in a sum
$i = 1;
$b = $i++ + save(1);
echo $b, $i, "\n";

// counters in echo
$i = 1;
echo $i++, $i, ++$i, "\n";

// assignments in conditions
if (($x = any(5)) !== null) { echo $x, "\n"; }
if (!($y = any(0))) { echo "zero", $y, "\n"; }

// closures
$f = function ($x) { echo "f $x\n"; return $x; };
echo $f(save(1)) + $f(save(2)), "\n";
if ($f(3) !== null) { echo "t\n"; }

// closures without a result
$t = 5;
$f = function ($x) use ($t) { nothing("c" . ($x + $t)); };
var_dump($f(1), $f(2) === null);

// foreach over a result
foreach (rows(2)["list"] as $k => $v) { if (save($v) === null) { continue; } echo $k, "\n"; }

// foreach over calls
foreach ([save(1), save(2)] as $v) { echo $v, "\n"; }

// isset and empty of results
echo json_encode(isset(rows(1)["n"])), json_encode(isset(rows(1)["list"][save(0)])), json_encode(empty(rows(3)["zz"])), "\n";

// functions of texts
echo trim(label(" x ")), strtoupper(label("y")), substr(label("abcdef"), save(1), save(2)), "\n";

// a switch with calls as cases
$x = save(2);
switch ($x) { case save(1): echo "a"; break; case save(2): echo "b"; break; case save(3): echo "c"; break; default: echo "d"; }

// a match with calls as cases
$x = save(2);
echo match ($x) { save(1), save(2) => label("m"), save(3) => label("n"), default => label("o") }, "\n";

// a match of an element
$a = rows(1);
echo match ($a["n"]) { save(1) => "one", default => "d" }, "\n";

// chains of ??
echo any(null) ?? any(null) ?? save(3), "\n";

// chains of ?:
echo any("") ?: any(0) ?: save(3), "\n";

// a choice that a null decides
$o = any(null);
$r = $o === null ? save(1) : save(2);
echo $r, "\n";

// statements of and, or
flag(true) and nothing("a");
flag(false) or nothing("b");
flag(true) && flag(false) || nothing("c");

// and, or, xor as values
$x = flag(true) && flag(false);
$y = flag(false) || flag(true);
$z = flag(true) xor flag(true);
var_dump($x, $y, $z);

// negations
var_dump(!flag(true), !save(0), !label(""), !nothing("x"), !rows(1));

// loose comparisons
var_dump(save(1) == "1", label("1") == 1, save(0) == false, any([]) == false, rows(1) == rows(1), rows(1) === rows(2));

// casts
var_dump((string) save(1) === "1", (int) label("5") === 5, (bool) label("0"), (float) save(1) === 1.0, (array) save(1) === [1]);

// functions that ask for a type
var_dump(is_string(label("a")), is_int(label("a")), is_bool(flag(true)), is_float(any(1.5)), is_array(any([1])), is_null(any(null)), is_numeric(label("5")));

// new objects in tests
class C1 { private $k; public function __construct($a, $b = null) { $this->k = [$a, $b]; echo "new\n"; } public function k() { return $this->k; } }
if (new C1(save(1))) { echo "t\n"; }
var_dump((new C1(save(1), save(2))) !== null);
echo json_encode((new C1(label("a"), label("b")))->k()), "\n";

// static properties that a call changes
class C2 { public static $n = 0; public static function up() { self::$n = self::$n + 1; return self::$n; } }
echo C2::up() . C2::$n . C2::up(), "\n";
echo C2::$n + C2::up(), C2::up() - C2::$n, "\n";
$x = [C2::$n, C2::up(), C2::$n];
echo json_encode($x), "\n";

// properties that a call changes, as texts
class C3 { public $n = 0; public function up() { $this->n = $this->n + 1; return $this->n; } public function go() { $a = $this->n . $this->up(); $b = $this->up() . $this->n; $c = [$this->n, $this->up(), $this->n]; return $a . $b . json_encode($c); } }
$o = new C3();
echo $o->go(), $o->n . $o->up() . $o->n, "\n";

// properties as keys
class C4 { public $l = []; public $n = 1; public function up() { $this->n = $this->n + 1; return $this->n; } public function go() { $this->l[$this->n] = $this->up(); $this->l["a"] = $this->up() + $this->n; $this->l["b"][] = $this->up(); return $this->l; } }
$o = new C4();
echo json_encode($o->go()), "\n";

// properties that a call changes, as numbers
class C5 { public $n = 1; public function up() { $this->n = $this->n + 1; return $this->n; } public function go() { $x = $this->n + $this->up(); $y = $this->n * 2 > $this->up(); $z = $this->n == $this->up(); $this->n -= $this->up(); return [$x, $y, $z, $this->n]; } }
$o = new C5();
echo json_encode($o->go()), "\n";

// elements of properties that a call changes
class C6 { public $m = ["k" => 1]; public function up() { $this->m["k"] = $this->m["k"] + 1; return $this->m["k"]; } public function go() { $x = $this->m["k"] + $this->up(); $y = $this->m["k"] . $this->up(); $this->m["k"] += $this->up(); $z = [$this->m["k"], $this->up()]; return [$x, $y, $z, $this->m]; } }
$o = new C6();
echo json_encode($o->go()), "\n";

// variables that are exchanged
$x = 1; $y = 2;
[$x, $y] = [$y, $x];
echo $x, $y, "\n";

// the number of elements as a key
$a = [];
$a["l"][] = save(1);
$a["l"][] = count($a["l"]) + save(2);
$a[count($a)] = count($a);
echo json_encode($a), "\n";

// nested elements that are changed
$a = ["k" => ["j" => 1]];
$k = "k";
$a[$k]["j"] += save(2);
$a[$k]["z"] ??= save(3);
$a[$k]["z"] ??= save(4);
$a[$k]["j"]++;
echo json_encode($a), "\n";

// the length of a result as a bound
for ($i = 0; $i < strlen(label("ab")); $i++) { echo $i, "\n"; }

// a bound that the loop changes
$n = 3;
for ($i = 0; $i < $n; $i++) { $n = $n - 1; echo $i, "\n"; }

// a format with a function without a result
$s = sprintf("%s-%s", label("a"), nothing("b"));
echo $s, "\n";

// a function without a result in comparisons
echo json_encode(nothing("a") == nothing("b")), json_encode(nothing("c") > 0), json_encode(nothing("d") + 1), "\n";

// a variable without a result
$n = nothing("q");
if ($n === null && empty($n) && !isset($n) && !$n) { echo "null\n"; }
foreach ((array) nothing("l") as $x) { echo "x"; }

// a function without a result that is returned
return nothing("z") && save(1);

// functions without a result as statements
@nothing("s");
(nothing("t"));
$z = @nothing("u");
var_dump($z);

// properties that are compared with a call
class C7 { public $n = 1; public $m = []; public $s = "a"; public function up() { $this->n = $this->n + 1; return any($this->n); } public function go() { $x = $this->n === $this->up(); $y = $this->n == $this->up(); $this->m[$this->n] = $this->up(); $this->m[$this->s] = $this->up(); $this->m[$this->n . "a"][] = $this->up(); return [$x, $y, $this->m]; } }
$o = new C7(); echo json_encode($o->go()), "\n";
class C8 { public static $n = 1; public static function up() { self::$n = self::$n + 1; return any(self::$n); } }
$a = []; $a[C8::$n] = C8::up(); $a["x"][C8::$n][C8::$n] = C8::up(); $z = C8::$n === C8::up(); echo json_encode($a), json_encode($z), "\n";
$a["v"] = C8::$n . C8::up();
$a = ["n" => 1]; $k = "n"; $a[$k] += save(1); $a[count($a)] = save(2); $a[count($a)] = count($a); echo json_encode($a), "\n";

// a try that returns, with finally
function t1() { try { return save(1); } finally { save(2); } }
echo t1(), "\n";
function t2() { try { if (save(1) === null) { return 1; } fails("x"); } catch (Exception $e) { return label($e->getMessage()); } finally { nothing("f"); } return 3; }
echo t2(), "\n";

// calls in ??
$x = ["a" => null, "b" => 2];
echo $x["a"] ?? label("d"), $x["b"] ?? label("e"), $x["c"] ?? save(1), $x[label("b")] ?? 9, "\n";

// calls of an object that may be null
class N1 { public $k = 1; public function next() { echo "next\n"; return new N1(); } public function none() { echo "none\n"; return null; } public function done(): void { echo "done\n"; } }
function maybe(bool $b): ?N1 { return $b ? new N1() : null; }
$o = maybe(flag(true));
var_dump($o?->done());
$p = maybe(flag(false));
var_dump($p?->done());
var_dump($o->none() === null, $o->none() ?? "d");
if ($o?->done() === null) { echo "null\n"; }

// die with a call
die(label("x"));

// exit with a call
echo "a\n";
exit(save(3) - 3);

// a loop that is left
$n = 0;
while (true) { $n++; if (save($n) === null) { break; } if (flag($n > 2)) { break; } }
echo $n, "\n";

// calls in calls
echo save(flag(true) ? save(1) : save(2)), label(any(null) ?? "d"), save(strlen(label("abc"))), "\n";

// closures that give nothing back
$f = fn() => nothing("x");
$g = fn($y) => $y === null;
var_dump($g($f()));

// a recursive function without a result
function r($n) { if ($n <= 0) { return; } echo $n, "\n"; r($n - 1); }
var_dump(r(2));
if (!r(1)) { echo "t\n"; }
$x = r(0) ?? "d";
echo $x, "\n";

// conditions of elements
$x = flag(true) ? nothing("a") : save(1);
var_dump($x);

// a choice without a result
flag(true) ? nothing("a") : nothing("b");

// statements of ?:
$y = [save(1), [save(2), "k" => [save(3)]], save(4) => save(5)];
echo json_encode($y), "\n";

// an array of all kinds of calls
const Q = 5;
define("W", 6);
echo Q + W + save(1), "\n";

// a static property that a call fills
class K { private static $c = null; public static function get() { if (self::$c === null) { self::$c = save(7); } return self::$c; } }
if (K::get() !== null && K::get() > 5) { echo K::get(), "\n"; }

// methods without a result as values
class Log { private $lines = []; public function add(string $s) { $this->lines[] = $s; } public function all() { return implode(",", $this->lines); } }
$l = new Log();
if (!$l->add("a")) { echo "t\n"; }
$x = $l->add("b") ?? "none";
echo $x, $l->all(), "\n";

// fractions around the limit of the notation
echo 123456789012345.0, " ", 100000000000000.0, " ", 1e14 + 0.5, " ", -999999999999999.0, " ", (string) 123456789012345.6, " ", json_encode(123456789012345.0), "\n";
$v = any(123456789012345.0);
echo $v, " {$v} ", $v . "", "\n";
var_dump($v);
echo print_r($v, true), var_export($v, true), " ", implode(",", [$v, 1e14]), "\n";

// a bound with a call
$s = "";
for ($i = 0; $i < 3 && save($i) !== null; $i++) { $s .= $i . label("z"); }
echo $s, "\n";

// cases that give nothing back
switch (true) { case flag(false): echo "a"; break; case save(1) > save(2): echo "b"; break; case nothing("x"): echo "c"; break; default: echo "d\n"; }

// a condition without a result
if (nothing("a")): echo "x"; elseif (save(1) !== null): echo "y\n"; endif;

// variables of a closure whose names are equal in Rust
$user_id = 1; $userId = 2; $u = function ($userID) use ($user_id, $userId) { return [$user_id, $userId, $userID]; };
echo json_encode($u(3)), "\n";
foreach ([7] as $user_ID) { echo $user_ID, $userId, $user_id, "\n"; }

// parameters of a closure whose names are equal in Rust
$userId = 1; $user_id = 2;
$f = function ($user_id) use ($userId) { return $userId . "-" . $user_id; };
echo $f(7), $userId, $user_id, "\n";
$g = fn($userId) => $user_id . "-" . $userId;
echo $g(8), "\n";

// parameters of methods whose names are equal in Rust
class Z1 { public function getUser($userId, $user_id) { $User_Id = $userId . $user_id; return $User_Id; } public static function make(string $aB, string $a_b = "d") { return $aB . $a_b; } }
echo (new Z1())->getUser(1, 2), Z1::make("x"), Z1::make("x", "y"), "\n";

// parameters whose names are words of Rust
function v1($type, $Type, $fn, $match) { return $type . $Type . $fn . $match; }
echo v1(1, 2, 3, 4), "\n";

// functions whose names are equal in Rust
function getX() { return 1; }
function get_x() { return 2; }
echo getX(), get_x(), "\n";

// bounds and lists that methods change
class A1 { public $l = [1, 2]; public $n = 0; public function add() { if (count($this->l) < 5) { $this->l[] = 9; } return count($this->l); } public function go() { for ($i = 0; $i < count($this->l); $i++) { echo $i, $this->add(), "\n"; } foreach ($this->l as $k => $v) { if ($k < 2) { $this->l[] = $v; } } return $this->l; } }
$o = new A1();
echo json_encode($o->go()), "\n";
for ($i = 0; $i < count($o->l) && $i < 9; $i++) { echo $i; }

// properties that a call in the same condition changes
class A2 { private $ok = false; public function check() { echo "check\n"; $this->ok = true; return false; } public function ok() { return $this->ok; } public function run() { if ($this->ok || $this->check() || $this->ok) { return "yes"; } return "no"; } public function both() { return $this->ok && !$this->check() && $this->ok ? "b" : "n"; } }
$o = new A2();
echo $o->run(), $o->both(), "\n";
var_dump($o->ok() && $o->check(), !$o->check() || $o->ok());

// texts of a property that a call changes
class A3 { private $s = "a"; public function push() { $this->s .= "b"; return $this->s; } public function go() { $x = "[" . $this->s . $this->push() . $this->s . "]"; $y = "{$this->s}-{$this->push()}-{$this->s}"; $z = sprintf("%s%s%s", $this->s, $this->push(), $this->s); $w = implode(",", [$this->s, $this->push(), $this->s]); return $x . $y . $z . $w; } }
$o = new A3();
echo $o->go(), "\n";

// a property that is compared with a call
class A4 { private $s = "a"; public function push() { $this->s .= "b"; return $this->s; } public function go() { $this->s = $this->s . $this->push(); echo $this->s, "\n"; if ($this->s === $this->push()) { echo "same\n"; } if ($this->s . "" == $this->push()) { echo "same\n"; } $t = $this->s; $t .= $this->push() . $this->s; return [$t, strlen($this->s) + strlen($this->push())]; } }
$o = new A4();
echo json_encode($o->go()), "\n";

// arrays of a property that a call changes
class A5 { private $a = ["n" => 1]; public function up() { $this->a["n"]++; return $this->a; } public function go() { $x = [$this->a, $this->up(), $this->a]; $y = ["k" => $this->a["n"], "j" => $this->up()["n"], "l" => $this->a["n"]]; return [$x, $y, $this->a + $this->up(), array_merge($this->a, $this->up())]; } }
$o = new A5();
echo json_encode($o->go()), "\n";

// calls that a condition decides
$x = 5;
$r = $x > 3 && save($x) > 4 || save(0) === 0;
var_dump($r);
$y = $x ?: save(1);
$z = $x ? $y : save(2);
echo $y, $z, "\n";

// the assignment ??=
$a = ["k" => null];
$a["k"] ??= save(1);
$a["j"] ??= label("j");
$a["k"] ??= save(2);
$v = null;
$v ??= save(3);
$v ??= save(4);
echo json_encode($a), $v, "\n";

// the assignment ??= to properties
class A8 { private $c = null; private $t = ["x" => null]; public function get() { $this->c ??= save(1); $this->t["x"] ??= save(2); $this->t["x"] ??= save(3); return $this->c . $this->t["x"]; } }
$o = new A8();
echo $o->get(), $o->get(), "\n";

// elements of results
$o = null;
function wrap($x) { return ["v" => $x]; }
echo wrap(nothing("a"))["v"] ?? "none", wrap(save(1))["v"], "\n";

// a removed element whose key reads the array
$q = [1, 2, 3];
while (count($q) > 0) { $x = save(count($q)); unset($q[count($q) - 1]); }
echo json_encode($q), "\n";

// defaults of a null
function lazy($a, $b = null) { return $a ?? $b ?? "none"; }
echo lazy(nothing("a")), lazy(null, save(1)), lazy(any(null), nothing("b")), "\n";

// keys and values in a loop
$r = [];
foreach (["a" => 1, "b" => 2] as $k => $v) { $r[label($k)] = save($v); $r["x"][] = [label($k) => save($v)]; }
echo json_encode($r), "\n";

// exceptions in arrays
try { $a = [save(1), fails("x"), save(2)]; } catch (RuntimeException $e) { echo "c", $e->getMessage(), "\n"; }
try { $b = ["k" => fails("y")] + rows(1); } catch (RuntimeException $e) { echo "d\n"; }
try { $c[label("q")] = fails("z"); } catch (RuntimeException $e) { echo json_encode($c ?? null), "\n"; }

// signs of calls
echo -save(1) + +save(2), !save(3) ? "a" : "b", (string) save(4) . (int) label("5"), "\n";

// functions of numbers
echo round(save(5) / save(2), save(1)), floor(save(7) / 2), max(any(1), any("2")), min([save(3), save(1)]), array_sum([save(1), save(2)]), "\n";

// functions that make texts
echo http_build_query(["a" => label("x"), "b" => save(1)]), md5(label("q")), bin2hex(label("z")), "\n";

// a position in a condition
if (strpos(label("abc"), label("b")) !== false && strlen(label("x")) === 1) { echo "found\n"; }

// implode and explode
echo implode(label(","), rows(1)["list"]), json_encode(explode(label(","), label("a,b"))), "\n";
