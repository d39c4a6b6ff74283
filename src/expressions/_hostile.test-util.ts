/** Expressions that mean harm, each with the code by which it has to end. Shared by the unit tests and workerd's. */
import type { ErrorCode } from "../core/errors.ts";

export type Hostile = { name: string; source: string; input?: unknown; code: ErrorCode };

const limit = (name: string, source: string, input?: unknown): Hostile => ({
  name,
  source,
  input,
  code: "expression_limit",
});
const invalid = (name: string, source: string): Hostile => ({ name, source, code: "expression_invalid" });
const failed = (name: string, source: string, input?: unknown): Hostile => ({
  name,
  source,
  input,
  code: "expression_failed",
});

const nest = (depth: number, open: string, middle: string, close: string) =>
  open.repeat(depth) + middle + close.repeat(depth);

const thousand = Array.from({ length: 1_000 }, (_, index) => ({
  id: index,
  text: `text ${index % 7}`,
  tags: ["a", "b"],
}));
const many = Array.from({ length: 20_000 }, (_, index) => index);

export const HOSTILE: readonly Hostile[] = [
  // Loops.
  limit("a tail call without end", "($f := function($x){ $f($x + 1) }; $f(0))"),
  limit("a recursion without end", "($f := function($x){ 1 + $f($x) }; $f(0))"),
  limit("two functions that call each other", "($a := function(){ 1 + $b() }; $b := function(){ 1 + $a() }; $a())"),
  limit(
    "the Y combinator",
    "($y := function($f){ function($x){ $x($x) }(function($g){ $f(function($a){ $g($g)($a) }) }) }; $y(function($self){ function($n){ $self($n + 1) } })(0))",
  ),
  limit("fibonacci the slow way", "($fib := function($n){ $n < 2 ? $n : $fib($n - 1) + $fib($n - 2) }; $fib(40))"),
  limit(
    "ackermann",
    "($ack := function($m, $n){ $m = 0 ? $n + 1 : $n = 0 ? $ack($m - 1, 1) : $ack($m - 1, $ack($m, $n - 1)) }; $ack(3, 12))",
  ),
  limit("map within map within map", "[1..1000].($x := $; [1..1000].($y := $; [1..1000].($x * $y * $)))"),
  limit(
    "a branch for each of many",
    "($f := function($n){ $n = 0 ? 1 : [$f($n - 1), $f($n - 1), $f($n - 1), $f($n - 1)] }; $f(12))",
  ),
  limit(
    "an object that calls itself in every member",
    '($f := function($n){ {"a": $f($n + 1), "b": $f($n + 1)} }; $f(0))',
  ),
  limit(
    "a function put together with itself, again and again",
    "($f := function($x){ $x + 1 }; $h := $f ~> $f; $h2 := $h ~> $h; $h3 := $h2 ~> $h2; $h4 := $h3 ~> $h3; $h5 := $h4 ~> $h4; $h6 := $h5 ~> $h5; $h7 := $h6 ~> $h6; $h8 := $h7 ~> $h7; $h9 := $h8 ~> $h8; $i := $h9 ~> $h9; $j := $i ~> $i; $k := $j ~> $j; $l := $k ~> $k; $m := $l ~> $l; $n := $m ~> $m; $o := $n ~> $n; $o(0))",
  ),
  limit(
    "composition doubled",
    "($d := function($h, $n){ $n = 0 ? $h : $d($h ~> $h, $n - 1) }; $d(function($x){ $x + 1 }, 30)(0))",
  ),
  failed(
    "partial application of partial application",
    "($f := function($a, $b){ $a }; $w := function($g, $n){ $n = 0 ? $g : $w($g(?, 1), $n - 1) }; ($w($f, 100000))(1))",
  ),
  limit(
    "closures in closures",
    "($w := function($g, $n){ $n = 0 ? $g : $w(function(){ $g() }, $n - 1) }; $w(function(){ 1 }, 1000000)())",
  ),
  limit(
    "a matcher that always has a next match",
    '($m := function($s){ {"match": "a", "start": 0, "end": 1, "groups": [], "next": function(){ $m($s) }} }; $match("aaa", $m))',
  ),
  limit(
    "a replacement that never moves on",
    '($m := function($s){ {"match": "", "start": 0, "end": 0, "groups": [], "next": function(){ $m($s) }} }; $replace("aaa", $m, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"))',
  ),
  limit("a comparator that does not end", "$sort([1..10], function($a, $b){ ($f := function(){ $f() }; $f()) })"),
  limit("a comparator that never agrees, on much", "$sort([1..10000], function($a, $b){ $a < $b and $b > $a })"),
  limit("work in each of many groups", '$map([1..2000], function($i){ {"k": $sum([1..$i])} })'),
  // Size.
  limit("ten million numbers", "[1..10000000]"),
  limit("a hundred million numbers", "[1..100000000]"),
  limit("ranges in ranges", "[1..10000].[1..10000]"),
  limit("ranges held by a recursion", "($f := function($n){ [1..10000].($n > 1000 ? 1 : $f($n + 1)) }; $f(0))"),
  limit("an array kept at each level", "($big := [1..10000]; $f := function($n){ $big.($f($n + 1)) }; $f(0))"),
  limit("a string doubled", '($f := function($s){ $f($s & $s) }; $f("0123456789"))'),
  limit("a string doubled by a fold", '$reduce([1..64], function($s, $i){ $s & $s }, "x")'),
  limit("a string doubled by $join", '($f := function($s){ $f($join([$s, $s])) }; $f("x"))'),
  limit("a long separator", '$join([1..10000].("x"), $pad("", 10000, "x"))'),
  limit("a string doubled by $replace", '($f := function($s){ $f($replace($s, "x", "xx")) }; $f("x"))'),
  limit("a replacement many times as long", '$replace($pad("x", 100000, "x"), "x", $pad("y", 100000, "y"))'),
  limit(
    "a replacement many times as long, by a pattern",
    '$replace($pad("x", 100000, "x"), /x/, $pad("y", 100000, "y"))',
  ),
  limit("padding", '$pad("x", 1000000000)'),
  limit("padding with a long text", '$pad("x", 1000000, $pad("y", 1000000, "y"))'),
  limit("padding to the left, by application", '$map([1..1000].("x" & $), $pad(?, -900000))'),
  limit(
    "padding by a function handed on",
    '$map(["a","b","c"].($), function($s){ $map([1..1000], function($i){ $pad($s, 1000000) }) })',
  ),
  limit("an array doubled", "($f := function($a){ $f($append($a, $a)) }; $f([1,2,3]))"),
  limit("an array doubled by a fold of a built-in", "$reduce([1..64], function($a, $i){ $append($a, $a) }, [1])"),
  limit("a tree of shared halves", "($f := function($a, $n){ $n = 0 ? $a : $f([[$a], [$a]], $n - 1) }; $f([1], 64))"),
  limit(
    "a tree of shared halves, written out",
    '($f := function($a, $n){ $n = 0 ? $string($a) : $f({"l": $a, "r": $a}, $n - 1) }; $f({}, 40))',
  ),
  limit(
    "a tree of shared halves, compared",
    '($f := function($a, $n){ $n = 0 ? $a = $a : $f({"l": $a, "r": $a}, $n - 1) }; $f({}, 40))',
  ),
  limit(
    "a tree of shared halves, in an error's text",
    "($f := function($a, $n){ $n = 0 ? -$a : $f([[$a], [$a]], $n - 1) }; $f([1], 40))",
  ),
  limit(
    "a tree of shared halves, descended",
    '($f := function($a, $n){ $n = 0 ? $a.**  : $f({"l": $a, "r": $a}, $n - 1) }; $f({}, 40))',
  ),
  limit("a fold that keeps all it had", "$reduce([1..10000], function($a, $i){ [$a, [$a]] }, [])"),
  limit(
    "a transform that writes the whole into each part",
    '($f := function($d, $n){ $n = 0 ? $d : $f($d ~> |**|{"x": $d}|, $n - 1) }; $f($, 10))',
    { a: { b: { c: {} } }, d: [{}, {}, {}] },
  ),
  failed("a transform that writes a value into itself", '$ ~> |$|{"self": $}|', { a: 1 }),
  failed("a transform that writes a value into itself, descended", '($ ~> |$|{"self": $}|).**', { a: 1 }),
  limit("deep nesting built up", "$reduce([1..5000], function($a, $i){ [[$a]] }, [])"),
  limit("deep nesting built up as objects", '$reduce([1..5000], function($a, $i){ {"a": $a} }, {})'),
  limit("a product of joins", "[1..300].($x := $; [1..300].($y := $; [1..300].[$x, $y, $]))"),
  limit("a join of focus variables", "items@$a.items@$b.{'a': $a.id, 'b': $b.id}", { items: thousand }),
  limit("a join over the parent", "(items.(%.items.(%.items)))", { items: thousand }),
  limit("order-by of much", "items^(id)", { items: many }),
  limit("order-by again and again", "[1..100].($i := $; $$.items^(id)[0])", { items: thousand }),
  limit("order-by of a range", "[1..9999]^($)"),
  limit("each with each", "items[$$.items]", { items: many }),
  limit("grouping all by one key", 'items{"k": $}', { items: many }),
  limit("spread of many", "$spread(items)", { items: many.map((id) => ({ id })) }),
  limit("zip of zips", "$reduce([1..64], function($a, $i){ $zip($a, $a) ~> $append($a) }, [1,2])"),
  limit("descendants, again and again", "[1..10000].($$.**)", { items: thousand }),
  limit("wildcards, again and again", "[1..10000].($$.*)", { items: thousand }),
  limit("the whole input as text, again and again", "[1..10000].$length($string($$))", { items: thousand }),
  limit("the whole input compared, again and again", "[1..10000].($$ = $merge([$$]))", { items: thousand }),
  limit("characters of a long text", '[1..1000].$length($pad("x", 500000))'),
  limit("halving a long text", '[1..10000].$substring($pad("x", 500000), 1)'),
  limit("roman numerals", '$formatInteger(900000000, "I")'),
  limit("a picture of many digits", '$formatInteger(1, $pad("", 100000, "0"))'),
  limit(
    "a picture with a long zero",
    '$formatNumber(1, $pad("", 100000, "0"), {"zero-digit": $pad("0", 100000, "0")})',
  ),
  failed(
    "a picture that can be read in many ways",
    '$toMillis($pad("1", 60, "1") & "x", "[Y#][M#][D#][H#][m#][s#][f]")',
  ),
  failed(
    "a picture of words that can be read in many ways",
    '$toMillis($pad("a", 60, "a") & "!", "[MNn][FNn][MNn][FNn][MNn][FNn][MNn]")',
  ),
  limit("keys of many objects", "[1..10000].$keys($$.items)", { items: thousand }),
  limit("merging, again and again", "[1..10000].$merge($$.items)", { items: thousand }),
  limit("truth of a deep array, again and again", "[1..100000].($$.items and false)", { items: thousand }),
  limit(
    "a tuple for each item, kept at each level",
    "($big := [1..9000]; $f := function($n){ $big@$a.($f($n + 1)) }; $f(0))",
  ),
  limit(
    "positions of each item, kept at each level",
    "($big := [1..9000]; $f := function($n){ $big#$i.($f($n + 1)) }; $f(0))",
  ),
  limit("a zip of thousands", `($r := [1..10000]; $zip(${"$r,".repeat(3_000)} $r))`),
  limit(
    "a deep value, written out with its indentation",
    "($d := $reduce([1..3000], function($a, $i){ [$a, $i] }, []); $map([1..20], function($i){ $length($string([$d, $d, $d], true)) }))",
  ),
  limit("distinct of many objects", '$distinct([1..10000].$merge([$$.items[0], {"n": $}, $$.items[1]]))', {
    items: thousand,
  }),
  limit("objects compared with each other", "items[$i := $; $$.items[$ = $i and $ != $$]]".replace("$i := $; ", ""), {
    items: thousand,
  }),
  limit("each item looked for among many", "[1..9000].($ in $$.items)".replace("[1..9000].(", "[1..9000].([1..100]."), {
    items: many,
  }),
  invalid(
    "positions bound under thousands of names",
    `$[true]${Array.from({ length: 2_500 }, (_, index) => `#$v${index}`).join("")}`,
  ),
  invalid(
    "items bound under thousands of names",
    Array.from({ length: 1_800 }, (_, index) => `$@$v${index}.`).join("") + "$",
  ),
  invalid("thousands of parameters", `($f := function(${"$a,".repeat(4_000)}$a){ 1 + $f() }; $f())`),
  limit("an array of thousands, again and again", `[1..100].[${"1,".repeat(7_000)}1]`),
  limit(
    "a long array joined with thousands of empty ones",
    `($r := [1..9000]; $e := []; [1..100].[$r${",$e".repeat(4_000)}])`,
  ),
  limit("a transform that writes thousands of members into thousands of parts", "$ ~> |items|$$.big|", {
    items: thousand.map((item) => ({ ...item })),
    big: Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, index])),
  }),
  limit("a transform that takes thousands of members away from thousands of parts", "$ ~> |items|{}, $$.names|", {
    items: [...thousand, ...thousand, ...thousand, ...thousand],
    names: many.slice(0, 9_000).map(String),
  }),
  limit("an object of arrays flattened, again and again", "[1..1000].($$.big.*)", {
    big: Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, [index]])),
  }),
  limit("tuples grouped under one key, again and again", '[1..100].($$.items@$a{"k": $a})', {
    items: many.slice(0, 5_000),
  }),
  limit(
    "an array made an object of many members, again and again",
    `[1..100].($$.items.[$][0].{${Array.from({ length: 500 }, (_, index) => `"k${index}": 1`).join(",")}})`,
    { items: many.slice(0, 5_000) },
  ),
  limit(
    "partial application that keeps all parameters",
    "($f := function($a, $b){ $a }; $w := function($h, $n){ $n = 0 ? ($h[0])(1, 2) : $w([($h[0])(?, ?)], $n - 1) }; $w([$f], 100000))",
  ),
  limit("a filter by long lists of nothing", "($z := [1..9000].(0); $filter([1..9000], function(){ $z }))"),
  limit("built-in functions partly applied, and kept", "[1..9000].[$substring(?, 1), $substring(?, 2), $pad(?, 3)]"),
  limit(
    "built-in functions partly applied, again and again",
    "$sort([1..9000], function($a, $b){ $exists($formatNumber($a, ?)) })",
  ),
  // Regular expressions.
  limit(
    "a regular expression on a long text, again and again",
    '[1..5000].$contains($pad("a", 500000, "a"), /(a|aa)+$b/)',
  ),
  limit(
    "a regular expression called by itself",
    '($r := /(x+x+)+y/; $s := $pad("x", 500000, "x"); [1..10000].($r($s)))',
  ),
  limit("a regular expression with all of its states alive", '$contains($pad("a", 900000, "a"), /a{0,900}b/)'),
  limit("a regular expression with hundreds of groups", `$match($pad("x", 900000, "x"), /x${"(a)?".repeat(300)}/)`),
  invalid("look-ahead", '$match("a", /(?=a)a/)'),
  invalid("look-behind", '$match("a", /(?<=a)a/)'),
  invalid("a back-reference", '$match("aa", /(a)\\1/)'),
  invalid("a regular expression with a huge program", '$match("a", /((a{100}){100}){100}/)'),
  invalid("hundreds of large regular expressions", `[1,${"/[a-z]{0,900}/,".repeat(1_000)}1]`),
  invalid("thousands of parents", `${"a.".repeat(4_000)}${"%.".repeat(3_900)}a`),
  invalid("a regular expression that never ends", '$match("a", /a'),
  // The text itself.
  invalid("a text without end", "1 + ".repeat(10_000) + "1"),
  invalid("ten thousand parentheses", nest(8_000, "(", "1", ")")),
  invalid("a thousand parentheses", nest(1_000, "(", "1", ")")),
  invalid("a thousand arrays", nest(1_000, "[", "1", "]")),
  invalid("a thousand objects", nest(1_000, '{"a":', "1", "}")),
  invalid("a thousand functions", nest(1_000, "function(){", "1", "}")),
  invalid("a sum of thousands", `${"1+".repeat(8_000)}1`),
  invalid("a long run of signs", `${"-".repeat(3_000)}(1)`),
  invalid("a long run of conditions", `${"a ? b : ".repeat(2_000)}c`),
  invalid("?? inside ??, which JSONata copies", nest(40, "(", "a", " ?? 1)")),
  invalid("?: inside ?:, which JSONata copies", nest(40, "(", "a", " ?: 1)")),
  invalid("??? instead of ??", nest(40, "(", "a", " ??? 1)")),
  invalid(
    "a signature that can be matched in many ways",
    `function($a)<${"s?".repeat(30)}>{ 1 }(${'"a",'.repeat(20)} 1)`,
  ),
  invalid("a signature with a class of its own", 'function($a)<(]+)+x[(s)>{ 1 }("a")'),
  // What is not there.
  invalid("$eval", '$eval("1 + 1")'),
  invalid("$eval under another name", "($e := $eval; $e(source))"),
  invalid("$random", "$random()"),
  failed("the constructor of an object", "$.constructor", {}),
  failed("the constructor of a string", '"a".constructor'),
  failed("the constructor of a function", "$string.constructor"),
  failed("__proto__ of an object", "$.__proto__", {}),
  failed("__proto__ looked up", '$lookup($, "__proto__")', {}),
  failed("a key named __proto__", '{"__proto__": {"a": 1}}'),
  failed("the code of a built-in function", "$string ~> $spread()"),
  failed("a call of a method", "$.toString()", {}),
  failed("data that says it is a function", "$", { _jsonata_lambda: true, thunk: true, body: { procedure: {} } }),
  failed("data that says it is a built-in function", "$.x()", { x: { _jsonata_function: true, implementation: 1 } }),
  failed("data that says it is a stream", '{"a": $}', { tupleStream: true, "@": 1 }),
  failed("a function for a result", "function($x){ $x }"),
  failed("a function within a result", '{"f": $string}'),
  failed("no result", "nothing.there", {}),
  failed("a number that JSON cannot say", "1 / 0"),
];
