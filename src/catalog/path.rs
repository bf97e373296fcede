//! Paths in every notation that the crate knows, split into segments.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::proto::case;
use crate::proto::template::TRAILING_SLASH;

/// A segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// A variable, as `{x}`, `<x>` or `_x_`.
    Variable(&'a str),
    /// Variables with other text around them, as in `{a}-{b}`: a value that is not known.
    Mixed,
    /// A name or a value: as given, and as a name in kebab-case.
    Text(&'a str, Cow<'a, str>),
}

/// The segments of a path: a template, a chain with `/`, `.` or `->`, a path with values, or a URL.
pub(super) fn segments(path: &str) -> Vec<Segment<'_>> {
    let path = without_query(without_origin(path.trim()));
    let parts: Vec<&str> = if path.contains("->") {
        path.split("->").map(|part| part.trim().trim_start_matches("{'").trim_end_matches("'}")).collect()
    } else if path.contains('.') && !path.contains('/') {
        path.split('.').collect()
    } else {
        path.split('/').collect()
    };
    let mut segments = Vec::with_capacity(parts.len());
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.into_iter().enumerate() {
        // `id{/x}` writes its own slash. It was split at that slash.
        if let Some(before) = part.strip_suffix('{') {
            segments.push(segment(before, false));
        } else if let Some(names) = part.strip_suffix('}').filter(|name| !name.contains('{')) {
            segments.extend(names.split(',').map(|name| Segment::Variable(variable_name(name))));
        } else {
            segments.push(segment(part, index == last));
        }
    }
    segments
}

fn segment(part: &str, is_last: bool) -> Segment<'_> {
    let name = match part.as_bytes() {
        [b'{', .., b'}'] | [b'<', .., b'>'] => part.get(1..part.len() - 1),
        [b'_', _, .., b'_'] => part.get(1..part.len() - 1),
        _ => None,
    };
    match name.map(variable_name) {
        Some(name) if is_last && TRAILING_SLASH.contains(&name) => Segment::Text("", Cow::Borrowed("")),
        _ if is_mixed(part) => Segment::Mixed,
        Some(name) => Segment::Variable(name),
        // A value with capitals that is not a name stays as it is.
        None => Segment::Text(part, case::normalize(part).unwrap_or(Cow::Borrowed(part))),
    }
}

/// A segment of a path without its percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether a segment has more than one variable, or text beside it, or a separator such as that of
/// `{;x}`.
fn is_mixed(part: &str) -> bool {
    let inside = match part.as_bytes() {
        [b'{', .., b'}'] | [b'<', .., b'>'] => part.get(1..part.len() - 1).unwrap_or(part),
        _ => part,
    };
    let is_expression = inside.len() < part.len();
    inside.contains(['{', '<']) || is_expression && (inside.contains(',') || inside.starts_with(['#', '.', ';']))
}

/// The name of a variable without the operator and the modifier of RFC 6570.
fn variable_name(text: &str) -> &str {
    let text = text.strip_prefix('+').unwrap_or(text);
    text.split([':', '*']).next().unwrap_or(text)
}

/// A URL without its scheme, its host, and the path that the base URI of some regions has.
fn without_origin(path: &str) -> &str {
    let Some((_, rest)) = path.split_once("://") else { return path };
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    ["hk/", "global/"]
        .iter()
        .find_map(|base| path.strip_prefix(base).filter(|rest| rest.starts_with("v3/")))
        .unwrap_or(path)
}

/// A path without its query and its fragment, also as expressions of RFC 6570.
fn without_query(path: &str) -> &str {
    let end = ["{?", "{&", "{#", "{;", "?", "#"].iter().filter_map(|start| path.find(start)).min();
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The path with each variable as `{}`. Two templates of the same shape differ only in the names of
/// their variables.
pub(super) fn shape(method: &str, segments: &[Segment<'_>]) -> String {
    let mut shape = String::with_capacity(64);
    shape.push_str(method);
    for segment in segments {
        shape.push('/');
        shape.push_str(match segment {
            Segment::Variable(_) | Segment::Mixed => "{}",
            Segment::Text(_, name) => name,
        });
    }
    shape
}

/// The method, the number of segments, and the first two segments. The second one is a variable, if
/// it is one or if `any` is set.
pub(super) fn group(method: &str, segments: &[Segment<'_>], any: bool) -> String {
    let name = |index: usize| match segments.get(index) {
        Some(Segment::Text(_, name)) if index == 0 || !any => name,
        Some(_) => "{}",
        None => "",
    };
    format!("{method} {} {} {}", segments.len(), name(0), name(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_has_the_same_shape() {
        for (path, expected) in [
            ("v3/ecommerce/{empty}/x", "GET/v3/ecommerce/{}/x"),
            ("v3/pay/transactions/id/{a}-{b}", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id/a{x}b", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id/{a,b}", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id/{.a}", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id{/a,b}", "GET/v3/pay/transactions/id/{}/{}"),
            ("v3/pay/transactions/id/{transaction_id}", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id/<id>", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id/_id_", "GET/v3/pay/transactions/id/{}"),
            ("v3.pay.transactions.id._id_", "GET/v3/pay/transactions/id/{}"),
            ("v3->pay->transactions->id->{'_id_'}", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id{/id}", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id/{+id:9}{?mchid}", "GET/v3/pay/transactions/id/{}"),
            ("v3/pay/transactions/id/{id}?mchid=1", "GET/v3/pay/transactions/id/{}"),
            ("v3/marketing/membercardOpen/cards", "GET/v3/marketing/membercard-open/cards"),
            ("v3/ecommerce/applyments/{empty}", "GET/v3/ecommerce/applyments/"),
            ("v3/ecommerce/applyments/", "GET/v3/ecommerce/applyments/"),
            ("https://api.mch.weixin.qq.com/v3/certificates?a=b", "GET/v3/certificates"),
            ("https://api.mch.weixin.qq.com/hk/v3/refunds", "GET/v3/refunds"),
            ("https://apihk.mch.weixin.qq.com/v3/global/refunds", "GET/v3/global/refunds"),
            ("v3/pay/transactions/id/4200A1bC", "GET/v3/pay/transactions/id/4200A1bC"),
            ("", "GET/"),
            ("{}", "GET/{}"),
            ("_", "GET/_"),
            ("{é}/<中>", "GET/{}/{}"),
        ] {
            assert_eq!(shape("GET", &segments(path)), expected, "{path}");
        }
    }
}
