//! The run-time library of code ported from PHP: PHP's conversions, comparisons, arithmetic and
//! arrays, and the helper classes of the PHP SDK.
//!
//! `wxpay port` writes plain Rust where the types are known, and calls these functions where they
//! are not. A PHP value is a [`serde_json::Value`]: `int` and `float` are its two kinds of numbers,
//! an array whose keys are 0, 1, 2 and so on is a JSON array, and any other array is a JSON object.
//!
//! ```
//! use serde_json::json;
//! use wechatpay_chain::php;
//!
//! assert!(php::equal(&json!("10"), &json!("1e1")));
//! assert_eq!(php::add(&json!("1.5"), &json!(2))?, json!(3.5));
//! let mut list = json!([]);
//! *php::slot(&mut list, 0)? = json!("a");
//! assert_eq!(list, json!(["a"]));
//! # Ok::<(), php::Fatal>(())
//! ```

mod array;
mod bc;
mod compare;
mod convert;
mod dump;
pub mod formatter;
mod json;
mod math;
mod request;
mod search;
mod string;
pub mod transformer;

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::error::{BoxError, Error, ErrorKind};

pub use array::{
    Key, array, at, column, count, filter, flip, from_pairs, has, implode, keys, list, merge, next, or, pairs, push,
    reverse, slot, to_array, unset, values,
};
pub use bc::{bcadd, bccomp, bcdiv, bcmul, bcsub};
pub use compare::{at_least, at_most, equal, equal_texts, identical, less, more, order};
pub use convert::{
    Operand, array_argument, array_value, bool_argument, finite, float, float_argument, float_of_text, int,
    int_argument, int_of_float, int_of_text, is_numeric, nullable, number_text, text, text_argument, truth,
};
pub use dump::{print_r, var_dump, var_export};
pub use json::{
    JSON_PRESERVE_ZERO_FRACTION, JSON_PRETTY_PRINT, JSON_UNESCAPED_SLASHES, JSON_UNESCAPED_UNICODE, json_decode,
    json_decode_object, json_encode, options,
};
pub use math::{
    abs, add, add_int, decrement, div, increment, intdiv, mul, mul_int, neg, number_format, pow, rem, round, sub,
    sub_int, sum,
};
pub use request::{Output, Request};
pub use search::{contains, contains_identical, ksort, max, min, unique};
pub use string::{
    explode, http_build_query, ltrim, mb_substr, pad, position, rawurlencode, replace, rtrim, segment, strcmp, substr,
    trim, ucfirst, urlencode, with_key,
};

/// An operation that fails in PHP as well, or whose result cannot be represented.
#[derive(Clone, Debug)]
pub struct Fatal(Cow<'static, str>);

impl Fatal {
    fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Fatal(reason.into())
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fatal {}

/// `file_get_contents($path)` of a text file, also with `file://` in front of the path.
///
/// # Errors
/// Fails for a URL, which is not fetched, and for a file that cannot be read or is not UTF-8.
pub fn file_get_contents(path: &str) -> Result<String, BoxError> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    if path.split_once("://").is_some() {
        return Err("file_get_contents of a URL: use an HTTP client, such as reqwest".into());
    }
    std::fs::read_to_string(path).map_err(|error| format!("file_get_contents: {path}: {error}").into())
}

/// `realpath($path)`: the absolute path without links, or false if there is no such file.
///
/// # Errors
/// Fails for a path that is not UTF-8, and where PHP throws a `ValueError`.
pub fn realpath(path: &str) -> Result<Value, BoxError> {
    if path.bytes().any(|byte| byte == 0) {
        return Err(error("realpath: the path contains a null byte"));
    }
    match std::fs::canonicalize(if path.is_empty() { "." } else { path }) {
        Ok(path) => match path.into_os_string().into_string() {
            Ok(path) => Ok(Value::String(path)),
            Err(path) => Err(format!("realpath: the path is not UTF-8: {}", path.to_string_lossy()).into()),
        },
        Err(_) => Ok(Value::Bool(false)),
    }
}

/// Creates an error of PHP's class `Error`.
#[must_use]
pub fn error(message: impl Into<String>) -> BoxError {
    Box::new(Fatal::new(message.into()))
}

/// Whether an error is one of PHP's own, such as a `TypeError`, which `catch (\Exception $e)` does
/// not catch.
#[must_use]
pub fn is_fatal(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.is::<Fatal>()
}

/// Whether the SDK for PHP reports an error of a call as a `RejectionException`: an APIv2 response
/// that reports a failure, or whose `sign` is invalid.
#[must_use]
pub fn is_rejection(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<Error>() else { return false };
    let path = error.call().and_then(|call| call.split(' ').nth(1)).unwrap_or_default();
    match error.kind() {
        ErrorKind::Fail => true,
        ErrorKind::Verification => path.starts_with("v2/"),
        _ => false,
    }
}

/// PHP's name of a value's type.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) | Value::Object(_) => "array",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The expected values are what PHP 8.2 prints.
    #[test]
    fn rejections_are_those_of_apiv2() {
        let error = |kind, path| Error::new(kind, "x").with_call(&http::Method::POST, path);
        assert!(is_rejection(&error(ErrorKind::Fail, "v2/pay/orderquery")));
        assert!(is_rejection(&error(ErrorKind::Verification, "v2/pay/orderquery")));
        assert!(!is_rejection(&error(ErrorKind::Verification, "v3/pay/transactions/native")));
        assert!(!is_rejection(&error(ErrorKind::ClientError, "v2/pay/orderquery")));
        assert!(!is_rejection(&Fatal::new("x".to_owned())));
    }

    #[test]
    fn numbers_are_those_of_php() {
        assert_eq!(
            [round(1.955, 2), round(5.055, 2), round(-2.5, 0), round(1_234_567.891, -3)],
            [1.96, 5.06, -3.0, 1_235_000.0]
        );
        assert_eq!(number_format(1_234_567.891, 2, ".", ","), "1,234,567.89");
        assert_eq!((number_format(0.5, 0, ".", ","), number_format(-0.001, 2, ".", "")), ("1".into(), "0.00".into()));
        for (number, text) in
            [(1e14, "1.0E+14"), (0.1 + 0.2, "0.3"), (-1e-7, "-1.0E-7"), (-0.0, "-0"), (1500.0, "1500")]
        {
            assert_eq!(number_text(number), text);
        }
        assert_eq!(
            (int_of_text("12abc"), int_of_text("1e3"), int_of_float(1e19)),
            (12, 1000, -8_446_744_073_709_551_616)
        );
        assert_eq!(add(json!(i64::MAX), 1).ok(), Some(json!(9_223_372_036_854_775_807_i64 as f64 + 1.0)));
        assert_eq!((add("5 apples", 1).ok(), add("1.0", 1).ok()), (Some(json!(6)), Some(json!(2.0))));
        assert!(add("abc", 1).is_err() && add(json!([]), 1).is_err() && div(1, 0).is_err() && rem(5, 0.5).is_err());
        assert_eq!((div(6, 2).ok(), div(7, 2).ok(), rem(-7, 3).ok()), (Some(json!(3)), Some(json!(3.5)), Some(-1)));
    }

    #[test]
    fn comparisons_are_those_of_php() {
        for (left, right, same) in [
            (json!(0), json!("a"), false),
            (json!("1"), json!("01"), true),
            (json!("10"), json!("1e1"), true),
            (json!(null), json!(false), true),
            (json!(null), json!("0"), false),
            (json!([]), json!(false), true),
            (json!("abc"), json!(true), true),
            (json!(1), json!("1 "), true),
            (json!("abc"), json!("abc "), false),
            (json!([1, 2]), json!(["1", "2"]), true),
            (json!([1, 2]), json!({ "2": 1 }), false),
        ] {
            assert_eq!((equal(&left, &right), equal(&right, &left)), (same, same), "{left} {right}");
        }
        assert!(!identical(json!(1), json!(1.0)) && !identical(json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1})));
        assert!(less(json!(null), -1) && !less("10", "9") && less("10", "9a"));
    }

    #[test]
    fn arrays_have_the_keys_of_php() -> Result<(), Fatal> {
        let mut array = json!([]);
        for number in 0..3 {
            *slot(&mut array, number)? = json!(number);
        }
        assert_eq!(array, json!([0, 1, 2]));
        unset(&mut array, 1);
        push(&mut array, json!("x"))?;
        assert_eq!(array, json!({ "0": 0, "2": 2, "3": "x" }));
        assert_eq!(keys(&array), json!([0, 2, 3]));
        *slot(slot(&mut array, "deep")?, "er")? = json!(true);
        assert_eq!(at(&array, "deep")?, &json!({ "er": true }));
        assert_eq!((at(&json!("abc"), -1)?, at(&json!([1]), "0")?), (&json!("c"), &json!(1)));
        assert_eq!(json_encode(&super::array(json!({ "0": {}, "1": [] })), 0), "[[],[]]");
        Ok(())
    }

    #[test]
    fn json_is_written_as_by_php() {
        let value = json!({ "url": "https://a/b", "n": "é😀\u{1}", "f": [1e25, 1e16, 0.00001, 10.0, -0.0], "e": {} });
        let text = r#"{"url":"https:\/\/a\/b","n":"\u00e9\ud83d\ude00\u0001","f":[1.0e+25,10000000000000000,1.0e-5,10,-0],"e":{}}"#;
        assert_eq!(json_encode(&value, 0), text);
        assert_eq!(
            json_encode(&json!({ "a": [1], "b": [] }), JSON_PRETTY_PRINT),
            "{\n    \"a\": [\n        1\n    ],\n    \"b\": []\n}"
        );
        assert_eq!(json_decode("{} x"), Value::Null);
    }
}
