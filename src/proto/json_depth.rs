//! A bound for the nesting of JSON values. Cloning, writing and dropping a `serde_json::Value` are
//! recursive, so a value that is nested deeply enough overflows the stack.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// The number of arrays and objects that may be nested. The parser of `serde_json` has the same
/// limit.
const MAX_DEPTH: usize = 128;

/// The value, if it is nested within the limit. The error is a clause. A deeper value is dropped
/// without recursion.
pub(crate) fn bounded(value: Value) -> Result<Value, String> {
    match check(&value) {
        Ok(()) => Ok(value),
        Err(reason) => {
            drop_deep(value);
            Err(reason)
        }
    }
}

/// Fails for a value that is nested deeper than the limit.
pub(crate) fn check(value: &Value) -> Result<(), String> {
    if is_within(value, MAX_DEPTH) { Ok(()) } else { Err(too_deep()) }
}

/// Fails for a value of any type whose JSON is nested deeper than the limit.
pub(crate) fn check_serialize(value: &impl Serialize) -> Result<(), String> {
    let mut serializer = Serializer::with_formatter(io::sink(), DepthLimit(0));
    match value.serialize(&mut serializer) {
        // Writing to a sink cannot fail, so the error is that of the formatter.
        Err(error) if error.is_io() => Err(too_deep()),
        // Another error has its own message when the value is converted.
        _ => Ok(()),
    }
}

/// Drops a value of any depth.
pub(crate) fn drop_deep(value: Value) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.into_iter().map(|(_, member)| member)),
            _ => {}
        }
    }
}

fn too_deep() -> String {
    format!("the JSON is nested deeper than {MAX_DEPTH} arrays and objects")
}

/// Whether at most `levels` arrays and objects are nested. The recursion ends at that depth.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_within(member, levels - 1)),
        _ => true,
    }
}

/// A formatter that fails beyond the limit. It holds the number of open arrays and objects.
struct DepthLimit(usize);

impl DepthLimit {
    fn open(&mut self) -> io::Result<()> {
        self.0 += 1;
        if self.0 <= MAX_DEPTH { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

impl Formatter for DepthLimit {
    fn begin_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.open()
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0 -= 1;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.open()
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0 -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Null, |inner, level| if level % 2 == 0 { json!([inner]) } else { object(inner) })
    }

    fn object(inner: Value) -> Value {
        // `json!` would clone the value.
        Value::Object([("a".to_owned(), inner)].into_iter().collect())
    }

    #[test]
    fn depth_is_bounded() {
        for (depth, within) in [(0, true), (1, true), (MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
            let value = nested(depth);
            assert_eq!(check(&value).is_ok(), within, "{depth}");
            assert_eq!(check_serialize(&value).is_ok(), within, "{depth}");
            assert_eq!(serde_json::from_str::<Value>(&value.to_string()).is_ok(), depth < MAX_DEPTH, "{depth}");
            assert_eq!(bounded(value).is_ok(), within, "{depth}");
        }
        assert!(check_serialize(&json!([[], [], { "a": [] }, {}])).is_ok());
    }
}
