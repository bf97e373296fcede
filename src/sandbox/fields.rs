//! What a field of a request must be, and the refusal where it is not.

use serde_json::Value;

use super::answer::Refusal;

/// What a value must be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Not empty, at most so many characters.
    Text(usize),
    /// A merchant's number: 1 to 32 letters, digits and `_-|*`.
    Number,
    /// From and to, both allowed.
    Integer(i64, i64),
    Boolean,
    Url,
    /// RFC 3339.
    Time,
    Object,
    /// At most so many.
    List(usize),
    OneOf(&'static [&'static str]),
}

/// The most of one payment, in fen.
pub(super) const MOST_FEN: i64 = 10_000_000_000;

/// Its JSON pointer, what it must be, and whether it must be there.
pub(super) type Field = (&'static str, Kind, bool);

/// Checks the fields of a body.
pub(super) fn check(body: &Value, fields: &[Field]) -> Result<(), Refusal> {
    check_at(body, "", fields)
}

/// Checks the fields of a part of a body, whose own pointer is `at`.
pub(super) fn check_at(part: &Value, at: &str, fields: &[Field]) -> Result<(), Refusal> {
    for (pointer, kind, required) in fields {
        let full = format!("{at}{pointer}");
        let value = match part.pointer(pointer) {
            Some(value) if !value.is_null() => value,
            _ if *required => return Err(Refusal::param("body", &full, format!("缺少必填参数 {full}"))),
            _ => continue,
        };
        if let Err(wanted) = fits(value, *kind) {
            let mut refusal = Refusal::param("body", &full, format!("参数 {full} {wanted}"));
            refusal.detail["value"] = value.clone();
            return Err(refusal);
        }
    }
    Ok(())
}

fn fits(value: &Value, kind: Kind) -> Result<(), String> {
    let text = || value.as_str().filter(|text| !text.is_empty());
    let holds = match kind {
        Kind::Text(most) => match text() {
            Some(text) if text.chars().count() <= most => true,
            Some(_) => return Err(format!("超过{most}个字符")),
            None => return Err("应为非空字符串".to_owned()),
        },
        Kind::Number => text().is_some_and(is_number),
        Kind::Integer(from, to) => value.as_i64().is_some_and(|number| (from..=to).contains(&number)),
        Kind::Boolean => value.is_boolean(),
        Kind::Url => text().is_some_and(|text| {
            text.len() <= 255
                && (text.starts_with("https://") || text.starts_with("http://"))
                && text.parse::<http::Uri>().is_ok()
        }),
        Kind::Time => text().is_some_and(is_time),
        Kind::Object => value.is_object(),
        Kind::List(most) => value.as_array().is_some_and(|items| !items.is_empty() && items.len() <= most),
        Kind::OneOf(values) => text().is_some_and(|text| values.contains(&text)),
    };
    let wanted = || match kind {
        Kind::Text(_) | Kind::Number => "应为1-32个字符的字符串，只能是数字、大小写字母_-|*".to_owned(),
        Kind::Integer(from, to) => format!("应为{from}到{to}的整数"),
        Kind::Boolean => "应为布尔值".to_owned(),
        Kind::Url => "应为http或https开头、不超过255个字符的URL".to_owned(),
        Kind::Time => "应为RFC 3339格式的时间，如2018-06-08T10:34:56+08:00".to_owned(),
        Kind::Object => "应为对象".to_owned(),
        Kind::List(most) => format!("应为1到{most}个元素的数组"),
        Kind::OneOf(values) => format!("应为{}之一", values.join("、")),
    };
    if holds { Ok(()) } else { Err(wanted()) }
}

/// Whether a text can be a merchant's number.
pub(super) fn is_number(text: &str) -> bool {
    matches!(text.len(), 1..=32) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-|*".contains(&byte))
}

/// `2018-06-08T10:34:56+08:00`, as far as the form goes.
fn is_time(text: &str) -> bool {
    let form = "0000-00-00T00:00:00";
    let (Some(moment), Some(zone)) = (text.get(..form.len()), text.get(form.len()..)) else { return false };
    let like = |text: &str, form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(byte, of)| if of == b'0' { byte.is_ascii_digit() } else { byte == of })
    };
    like(moment, form) && (zone == "Z" || like(zone, "+00:00") || like(zone, "-00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind() {
        for (kind, good, bad) in [
            (Kind::Text(2), json!("中文"), json!("中文字")),
            (Kind::Text(2), json!("a"), json!("")),
            (Kind::Number, json!("A_-|*9"), json!("a b")),
            (Kind::Number, json!("1"), json!(1)),
            (Kind::Integer(1, 9), json!(9), json!(10)),
            (Kind::Integer(1, 9), json!(1), json!("1")),
            (Kind::Integer(1, 9), json!(1), json!(1.5)),
            (Kind::Boolean, json!(false), json!(0)),
            (Kind::Url, json!("https://a.example/x"), json!("ftp://a")),
            (Kind::Url, json!("http://127.0.0.1:1/"), json!("https://a b")),
            (Kind::Time, json!("2018-06-08T10:34:56+08:00"), json!("2018-06-08")),
            (Kind::Time, json!("2018-06-08T10:34:56Z"), json!("2018-06-08T10:34:56")),
            (Kind::Object, json!({}), json!([])),
            (Kind::List(1), json!([1]), json!([1, 2])),
            (Kind::OneOf(&["A", "B"]), json!("B"), json!("C")),
        ] {
            assert!(fits(&good, kind).is_ok(), "{good}");
            assert!(fits(&bad, kind).is_err(), "{bad}");
        }
        let refusal = check_at(&json!({"a": 0}), "/list/0", &[("/a", Kind::Integer(1, 2), true)]).expect_err("zero");
        assert_eq!(refusal.detail["field"], "/list/0/a");
        assert_eq!(refusal.detail["value"], 0);
    }
}
