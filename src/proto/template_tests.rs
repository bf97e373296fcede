//! Tests of [`template`](super::template) and [`php_scalar`](super::php_scalar).

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::php_scalar::scalar_text;
use super::template::{Modifier, Operator, Template};

/// Parses and expands a template. Errors become their text.
fn expand(template: &str, variables: &Value) -> Result<String, String> {
    let template = Template::parse(template).map_err(|error| error.to_string())?;
    template.expand(|name| variables.get(name)).map_err(|error| error.to_string())
}

#[test]
fn official_suites() {
    // The numbers of cases are checked, so that an incomplete file does not pass.
    for (file, expected) in [("spec-examples.json", 64), ("spec-examples-by-section.json", 117)] {
        match suite(file) {
            Some(text) => assert_eq!(run_suite(file, &text), expected, "cases in {file}"),
            // Written directly to stderr, because the test runner captures the print macros.
            None => drop(writeln!(std::io::stderr(), "SKIPPED: the RFC 6570 suite {file} is not present")),
        }
    }
}

fn suite(file: &str) -> Option<String> {
    let shared = match env::var_os("WECHATPAY_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    };
    fs::read_to_string(shared.join("uritemplate-test").join(file)).ok()
}

fn run_suite(file: &str, text: &str) -> usize {
    let suite: Value = serde_json::from_str(text).expect("the suite is JSON");
    let mut count = 0;
    for (section, body) in suite.as_object().expect("sections") {
        for case in body["testcases"].as_array().expect("cases") {
            let template = case[0].as_str().expect("a template");
            let actual = Value::from(expand(template, &body["variables"]).expect(template));
            let matches = match &case[1] {
                Value::Array(alternatives) => alternatives.contains(&actual),
                expected => *expected == actual,
            };
            assert!(matches, "{file}, {section}, {template}: {actual} instead of {}", case[1]);
            count += 1;
        }
    }
    count
}

#[test]
fn expansions() {
    let variables = json!({
        "s": "a b/c", "half": "50%", "triplet": "a%2Fb%zz%", "han": "中文字", "empty": "", "nil": null,
        "yes": true, "no": false, "n": -7, "big": 18446744073709551615_u64, "f": 0.1,
        "list": ["x", null, "y/z", 1], "blank": ["", "a"], "nils": [null, null], "none": [], "hole": {},
        "map": {"z": "1", "nil": null, "a&b": "c=d", "e": ""}, "nilmap": {"a": null},
        "card-id": "d", "姓名": "n", "a.b": "dot", "%41": "pct",
    });
    let cases = [
        ("", ""),
        ("v3/pay/{s}", "v3/pay/a%20b%2Fc"),
        ("v3/<s>/<card-id>", "v3/a%20b%2Fc/d"),
        ("<a.b><%41>{姓名}{card-id}", "dotpctnd"),
        ("{?姓名,%41}", "?%E5%A7%93%E5%90%8D=n&%41=pct"),
        // Literals.
        ("a b\"'\\^`|中%2f%zz%", "a%20b%22'%5C%5E%60%7C%E4%B8%AD%2f%25zz%25"),
        (":/?#[]@!$&'()*+,;=-._~", ":/?#[]@!$&'()*+,;=-._~"),
        ("%{n}%4{n}", "%25-7%254-7"),
        // Scalars.
        ("{yes}|{no}|{n}|{big}|{f}", "1%7C%7C-7%7C18446744073709551615%7C0.1"),
        ("{?yes,no}{;no,n}", "?yes=1&no=;no;n=-7"),
        // Undefined variables.
        ("{nil}{missing}{none}{hole}{nils}{nilmap}", ""),
        ("{?nil,missing,n,none,hole,nils,nilmap}", "?n=-7"),
        ("{#none}{.nils*}{/nilmap*}{;hole}", ""),
        ("{none:3}{nilmap:3}", ""),
        // Reserved expansion.
        ("{half}{+half}{#half}", "50%2550%25#50%25"),
        ("{+triplet} {triplet}", "a%2Fb%25zz%25%20a%252Fb%25zz%25"),
        // Prefixes count characters of the value.
        ("{han:2}", "%E4%B8%AD%E6%96%87"),
        ("{+han:1}{han:9999}", "%E4%B8%AD%E4%B8%AD%E6%96%87%E5%AD%97"),
        ("{+triplet:3}", "a%252"),
        ("{n:1}{?empty:3}{;empty:3}", "-?empty=;empty"),
        // Lists.
        ("{list}{/list*}{?list}{?list*}", "x,y%2Fz,1/x/y%2Fz/1?list=x,y%2Fz,1?list=x&list=y%2Fz&list=1"),
        ("{;blank}{;blank*}{?blank*}", ";blank=,a;blank;blank=a?blank=&blank=a"),
        ("{/list,s}{+list*,n}", "/x,y%2Fz,1/a%20b%2Fcx,y/z,1,-7"),
        ("{s*}{?s*}", "a%20b%2Fc?s=a%20b%2Fc"),
        // Maps: a key cannot begin another parameter.
        ("{map}", "z,1,a%26b,c%3Dd,e,"),
        ("{+map*}", "z=1,a&b=c=d,e="),
        ("{?map*}", "?z=1&a%26b=c%3Dd&e="),
        ("{;map*,n}", ";z=1;a%26b=c%3Dd;e;n=-7"),
        ("{&map}{.map*}", "&map=z,1,a%26b,c%3Dd,e,.z=1.a%26b=c%3Dd.e="),
    ];
    for (template, expected) in cases {
        assert_eq!(expand(template, &variables).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn parse_errors() {
    let cases = [
        ("a/{b", "'{' is never closed"),
        ("a{", "'{' is never closed"),
        ("a}b", "'}' has no '{'"),
        ("{a}}", "'}' has no '{'"),
        ("{a{b}}", "'{' inside an expression"),
        ("{}", "the expression is empty"),
        ("{=a}", "'=' is a reserved operator"),
        ("{,a}", "',' is a reserved operator"),
        ("{!a}", "'!' is a reserved operator"),
        ("{@a}", "'@' is a reserved operator"),
        ("{|a}", "'|' is a reserved operator"),
        ("{x,}", "a variable name is empty"),
        ("{x,,y}", "a variable name is empty"),
        ("{?}", "a variable name is empty"),
        ("{*}", "a variable name is empty"),
        ("{:3}", "a variable name is empty"),
        ("{a b}", "' ' in a name"),
        ("{$a}", "'$' in a name"),
        ("{a**}", "'*' in a name"),
        ("{<a>}", "'<' in a name"),
        ("{a\n}", "'\\n' in a name"),
        ("{a€}", "'€' in a name"),
        ("{a%4}", "'%' in a name"),
        ("{%zz}", "'%' in a name"),
        ("{a..b}", "'.' in a name"),
        ("{..a}", "'.' in a name"),
        ("{a.}", "'.' in a name"),
        ("{x:}", "':' without a prefix length"),
        ("{x:0}", "prefix 0 is out of range"),
        ("{x:03}", "prefix 03 is out of range"),
        ("{x:10000}", "prefix 10000 is out of range"),
        ("{x:99999999999}", "prefix 99999999999 is out of range"),
        ("{x:abc}", "prefix \"abc\" is not a number"),
        ("{x:+3}", "prefix \"+3\" is not a number"),
        ("{x:-3}", "prefix \"-3\" is not a number"),
        ("{x:٣}", "prefix \"٣\" is not a number"),
        ("{x:3*}", "\"x:3*\" has both modifiers"),
        ("{x*:3}", "\"x*:3\" has both modifiers"),
        ("a<b", "'<' is never closed"),
        ("a>b", "'>' has no '<'"),
        ("<a>>", "'>' has no '<'"),
        ("<>", "'<' and '>' are illegal in a literal"),
        ("<a b>", "'<' and '>' are illegal in a literal"),
        ("<+a>", "'<' and '>' are illegal in a literal"),
        ("<.a>", "'<' and '>' are illegal in a literal"),
        ("<a*>", "'<' and '>' are illegal in a literal"),
        ("<a:3>", "'<' and '>' are illegal in a literal"),
        ("<a,b>", "'<' and '>' are illegal in a literal"),
        ("<{a}>", "'<' and '>' are illegal in a literal"),
        ("a\tb", "control character '\\t'"),
        ("{a}\u{7f}", "control character '\\u{7f}'"),
        ("\0{a}", "control character '\\0'"),
    ];
    for (template, expected) in cases {
        let error = Template::parse(template).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("URI template: {expected}")), "{template:?}: {error}");
        assert!(!error.contains(char::is_control), "{template:?}: {error:?}");
    }
}

#[test]
fn an_error_contains_its_expression_and_the_remedy() {
    let error = |template| Template::parse(template).unwrap_err().to_string();
    assert_eq!(error("v3/{a}/{=b}/{c}"), "URI template: '=' is a reserved operator; use + # . / ; ? & (in \"{=b}\")");
    assert_eq!(
        error("v3/{a}/b}/c"),
        "URI template: '}' has no '{' before it; write {name}, or %7D for the character (in \"/b}\")"
    );
}

#[test]
fn value_errors_contain_the_variable_and_not_the_value() {
    let variables = json!({
        "list": ["secret", ["secret"]], "map": {"secret": {"secret": "secret"}}, "deep": [[]],
        "flat": ["secret"], "pair": {"secret": "secret"},
    });
    let cases = [
        ("{list}", "variable \"list\" is nested"),
        ("a{?x,list*}", "variable \"list\" is nested"),
        ("{map}", "variable \"map\" is nested"),
        ("{;map*}", "variable \"map\" is nested"),
        ("<deep>", "variable \"deep\" is nested"),
        ("{flat:3}", "list or map \"flat\" has a prefix"),
        ("{?pair:3}", "list or map \"pair\" has a prefix"),
    ];
    for (template, expected) in cases {
        let error = expand(template, &variables).unwrap_err();
        assert!(error.starts_with(&format!("URI template: {expected}")), "{template}: {error}");
        assert!(!error.contains("secret"), "{template}: {error}");
    }
}

#[test]
fn expressions_and_uses() {
    let template = Template::parse("v3/<a>/{+b:12}{?c*,d}").expect("valid");
    let listed: Vec<_> = template
        .expressions()
        .map(|(op, list)| (op, list.iter().map(|v| (v.name.as_str(), v.modifier)).collect()))
        .collect();
    let expected: Vec<(_, Vec<_>)> = vec![
        (Operator::Simple, vec![("a", Modifier::None)]),
        (Operator::Reserved, vec![("b", Modifier::Prefix(12))]),
        (Operator::Query, vec![("c", Modifier::Explode), ("d", Modifier::None)]),
    ];
    assert_eq!(listed, expected);
    assert_eq!(template.source(), "v3/<a>/{+b:12}{?c*,d}");
    assert!(template.uses("a") && template.uses("d"));
    assert!(!template.uses("v3") && !template.uses("b:12"));

    let operators = Template::parse("{a}{+a}{#a}{.a}{/a}{;a}{?a}{&a}").expect("valid");
    assert_eq!(
        operators.expressions().map(|(operator, _)| operator).collect::<Vec<_>>(),
        [
            Operator::Simple,
            Operator::Reserved,
            Operator::Fragment,
            Operator::Label,
            Operator::Path,
            Operator::Parameter,
            Operator::Query,
            Operator::Continuation,
        ]
    );
}

#[test]
fn scalars_are_written_as_in_php() {
    let cases = [
        (json!("a b"), "a b"),
        (json!(""), ""),
        (json!(true), "1"),
        (json!(false), ""),
        (json!(0), "0"),
        (json!(-12), "-12"),
        (json!(i64::MIN), "-9223372036854775808"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(1.0), "1"),
        (json!(0.0), "0"),
        (json!(-0.0), "-0"),
        (json!(1.5), "1.5"),
        (json!(-2.25), "-2.25"),
        (json!(100.0), "100"),
        (json!(1.0 / 3.0), "0.33333333333333"),
        (json!(2.0 / 3.0), "0.66666666666667"),
        (json!(0.1 + 0.2), "0.3"),
        (json!(1234.5678), "1234.5678"),
        // The exponential form begins at 15 digits before the point ...
        (json!(1e13), "10000000000000"),
        (json!(99999999999999.0), "99999999999999"),
        (json!(99999999999999.4), "99999999999999"),
        (json!(99999999999999.9), "1.0E+14"),
        (json!(1e14), "1.0E+14"),
        (json!(1e15), "1.0E+15"),
        (json!(123456789012345678.0), "1.2345678901235E+17"),
        (json!(-1e25), "-1.0E+25"),
        (json!(f64::MAX), "1.7976931348623E+308"),
        // ... and at four zeros after it.
        (json!(0.1), "0.1"),
        (json!(0.012), "0.012"),
        (json!(0.001), "0.001"),
        (json!(0.0001), "0.0001"),
        (json!(-0.00012345), "-0.00012345"),
        (json!(0.0000999999999999999), "0.0001"),
        (json!(0.00001), "1.0E-5"),
        (json!(1.5e-7), "1.5E-7"),
        (json!(5e-324), "4.9406564584125E-324"),
        // Exact halves are rounded to the even digit.
        (json!(12345678901234.5), "12345678901234"),
        (json!(12345678901235.5), "12345678901236"),
        (json!(1000000000000.25), "1000000000000.2"),
        (json!(1000000000000.75), "1000000000000.8"),
        // Beyond an exact half, the further digits decide.
        (json!(12345678901234.502), "12345678901235"),
    ];
    for (value, expected) in &cases {
        assert_eq!(scalar_text(value).as_deref(), Some(*expected), "{value}");
    }
    for value in [json!(null), json!([]), json!([1]), json!({}), json!({"a": 1})] {
        assert_eq!(scalar_text(&value), None, "{value}");
    }
}

#[test]
fn any_text_parses_or_fails_and_expands_to_uri_characters() {
    const ALPHABET: &str = "{}<>+#./;?&=,:*%aé中_-0 \n";
    let letters: Vec<char> = ALPHABET.chars().collect();
    let values = [
        json!("a%2F% 中&"),
        json!(""),
        json!(-1.5),
        json!(null),
        json!(["é", null, "&", false]),
        json!({"a&=": "b c", "中": "", "n": null}),
        json!([]),
        json!([["a"]]),
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let (mut parsed, mut expanded) = (0, 0);
    for round in 0..200_000 {
        let mut text: String = (0..next(16)).map(|_| letters[next(letters.len())]).collect();
        // Random text is rarely an expression, so every other text is put into braces.
        if round % 2 == 0 {
            text = format!("a{{{text}}}");
        }
        match Template::parse(&text) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(template) => {
                parsed += 1;
                assert_eq!(template.source(), text);
                // The value of a name differs in each round.
                let lookup = |name: &str| values.get((name.len() + round) % (values.len() + 1));
                match template.expand(lookup) {
                    Err(error) => assert!(!error.to_string().is_empty()),
                    Ok(uri) => {
                        expanded += 1;
                        assert!(is_uri(&uri), "{text:?}: {uri:?}");
                    }
                }
            }
        }
    }
    assert!(parsed > 10_000 && expanded > 10_000, "{parsed} parsed, {expanded} expanded");
}

fn is_uri(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&b);
    text.split('%').enumerate().all(|(index, piece)| {
        let triplet = piece.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        (index == 0 || triplet) && piece.bytes().all(allowed)
    })
}
