//! The names of a chain: PHP's case rule, and the refusal of what it would mangle.

use std::borrow::Cow;

use crate::error::{Error, excerpt};

/// Turns one name or a whole path, as written in `seg`, `chain` or `[...]`, into template text.
///
/// As in PHP, `_x_` is the variable `{x}`, and a camelCase word becomes kebab-case. Text inside `{...}` and `<...>` and percent
/// triplets are left alone. Text with capitals that is no plain camelCase word is almost always a value pasted into the path,
/// which PHP lower-cases without a word; here it is an error.
///
/// ```text
/// permissionTokens                    permission-tokens
/// complaintsV2                        complaints-v2
/// Pay                                 pay             (PascalCase, at the start only)
/// _card_id_                           {card_id}
/// v3/merchantService/complaints/{Id}  v3/merchant-service/complaints/{Id}
/// v3/cards/pbLatjvWOibDc5             an error: looks like a value
/// v3/cards/_card_id_                  an error: inside a path it is {card_id}
/// ```
pub(crate) fn normalize(name: &str) -> Result<Cow<'_, str>, Error> {
    if name.is_empty() {
        return Err(Error::path("the name of a path segment is empty"));
    }
    if let Some(variable) = underscored(name) {
        return Ok(Cow::Owned(format!("{{{variable}}}")));
    }
    if let Some(variable) = name.split('/').find_map(underscored) {
        return Err(Error::path(format!(
            "the path has the segment \"_{variable}_\", which is a variable only as a name of its own: inside a path write {{{variable}}}"
        )));
    }
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(Cow::Borrowed(name));
    }
    kebab(name).map(Cow::Owned)
}

/// The variable in `_x_`.
fn underscored(segment: &str) -> Option<&str> {
    let variable = segment.strip_prefix('_')?.strip_suffix('_')?;
    (!variable.contains(['/', '{', '}', '<', '>'])).then_some(variable)
}

fn kebab(name: &str) -> Result<String, Error> {
    let (path, query) = match split_query(name) {
        Some(at) => name.split_at_checked(at).unwrap_or((name, "")),
        None => (name, ""),
    };
    if outside_placeholders(query).any(|text| text.bytes().any(|byte| byte.is_ascii_uppercase())) {
        return Err(Error::path(format!(
            "the query in the path {:?} has capitals, which a path does not keep: give it as an option, \
             {{\"query\": {{\"name\": \"value\"}}}}",
            excerpt(path)
        )));
    }
    let mut out = String::with_capacity(name.len() + 8);
    for (number, segment) in path.split('/').enumerate() {
        if number > 0 {
            out.push('/');
        }
        let word = is_camel_case(segment, number == 0);
        if !word && outside_placeholders(segment).any(has_capital) {
            return Err(looks_like_a_value(segment));
        }
        if !word {
            out.push_str(segment);
            continue;
        }
        for (at, c) in segment.char_indices() {
            if c.is_ascii_uppercase() && at > 0 {
                out.push('-');
            }
            out.push(c.to_ascii_lowercase());
        }
    }
    out.push_str(query);
    Ok(out)
}

/// A path without its query, for messages.
pub(crate) fn before_query(name: &str) -> &str {
    split_query(name).and_then(|at| name.get(..at)).unwrap_or(name)
}

/// Where the query of a path begins: the first `?` outside of placeholders.
fn split_query(name: &str) -> Option<usize> {
    let mut inside = false;
    name.char_indices().find_map(|(at, c)| {
        match c {
            '{' | '<' => inside = true,
            '}' | '>' => inside = false,
            _ => {}
        }
        (c == '?' && !inside).then_some(at)
    })
}

/// The pieces of a text that stand outside of `{...}` and `<...>`.
fn outside_placeholders(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((piece, after)) = rest.split_once(['{', '<']) else {
            return Some(std::mem::take(&mut rest));
        };
        rest = after.split_once(['}', '>']).map_or("", |(_, after)| after);
        Some(piece)
    })
}

/// Whether a text has a capital that is no part of a percent triplet.
fn has_capital(text: &str) -> bool {
    let mut pieces = text.split('%');
    let capital = |text: &str| text.bytes().any(|byte| byte.is_ascii_uppercase());
    let first = pieces.next().is_some_and(capital);
    first
        || pieces.any(|piece| {
            let triplet = piece.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
            capital(if triplet { piece.get(2..).unwrap_or_default() } else { piece })
        })
}

/// Whether a segment is a plain camelCase word, such as the API's own names are written: `membercardOpen`, `h5Presign`,
/// `complaintsV2`, `applyment4subState`. A capital begins a word of letters, or stands before one digit, or last; the first word
/// may have one digit. PascalCase is one only at the start of a path, where PHP lowers it, too.
///
/// ```text
/// [a-z]+ [0-9]? [a-z]*  ( [A-Z] ( [a-z]+ | [0-9] ) )*  [A-Z]?
/// ```
fn is_camel_case(segment: &str, at_start: bool) -> bool {
    let mut bytes = segment.bytes().enumerate().peekable();
    let mut digits = 0;
    let mut capital_before = false;
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'a'..=b'z' => capital_before = false,
            b'A'..=b'Z' if at == 0 => {
                if !at_start
                    || !bytes.peek().is_some_and(|(_, next)| next.is_ascii_lowercase() || next.is_ascii_digit())
                {
                    return false;
                }
            }
            b'A'..=b'Z' => {
                let followed = match bytes.peek() {
                    None => true,
                    Some((_, next)) => next.is_ascii_lowercase() || next.is_ascii_digit(),
                };
                if !followed {
                    return false;
                }
                capital_before = true;
                // The first word is over: from here a digit must stand right after a capital.
                digits = 2;
            }
            b'0'..=b'9' if at > 0 && (capital_before || digits == 0) => {
                if capital_before && bytes.peek().is_some_and(|(_, next)| !next.is_ascii_uppercase()) {
                    return false;
                }
                capital_before = false;
                digits += 1;
            }
            _ => return false,
        }
    }
    !segment.is_empty()
}

fn looks_like_a_value(segment: &str) -> Error {
    let segment = excerpt(segment);
    Error::path(format!(
        "the path segment {segment:?} looks like a value, or is no plain camelCase word, and capitals would be lost from it: \
         write a variable in its place, such as \"{{id}}\", and give the value in the options, {{\"id\": {segment:?}}}; if it is a \
         name of the API, write it as the API does"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_php_turns_them() {
        for (name, text) in [
            ("v3", "v3"),
            ("membercardOpen", "membercard-open"),
            ("complaintsV2", "complaints-v2"),
            ("h5Presign", "h5-presign"),
            ("nQualifications", "n-qualifications"),
            ("transferToQqWalletBills", "transfer-to-qq-wallet-bills"),
            ("MerchantService", "merchant-service"),
            ("V3", "v3"),
            ("V3/pay", "v3/pay"),
            ("aggracctBc", "aggracct-bc"),
            ("planB", "plan-b"),
            ("_card_id_", "{card_id}"),
            ("_+path_", "{+path}"),
            ("_cardId_", "{cardId}"),
            ("{cardId}", "{cardId}"),
            ("<cardId>", "<cardId>"),
            ("_", "_"),
            ("v3/merchantService/complaintsV2", "v3/merchant-service/complaints-v2"),
            ("v3/merchantService/{complaintId}/x", "v3/merchant-service/{complaintId}/x"),
            ("h5PreEntrustSign", "h5-pre-entrust-sign"),
            ("applyment4subState", "applyment4sub-state"),
            ("v3/a%2Fb/%7Bx%7D", "v3/a%2Fb/%7Bx%7D"),
            ("v3/{Id}/x{?Y}", "v3/{Id}/x{?Y}"),
            ("v3/x?a={B}", "v3/x?a={B}"),
            ("secapi/pay/refund", "secapi/pay/refund"),
            ("v3/café/å", "v3/café/å"),
        ] {
            assert_eq!(normalize(name).map_err(|e| e.to_string()).as_deref(), Ok(text), "{name}");
        }
    }

    #[test]
    fn what_php_would_mangle_is_refused() {
        for (name, segment) in [
            ("v3/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens", "pbLatjvWOibDc5-TBnbUk1pD12o0"),
            ("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
            ("v3/V3/x", "V3"),
            ("v3/pay/Close", "Close"),
            ("ABC", "ABC"),
            ("a_B", "a_B"),
            ("PUB_KEY_ID_01", "PUB_KEY_ID_01"),
            ("order20240101T12", "order20240101T12"),
            ("v3/%C3%A9Abc", "%C3%A9Abc"),
            ("v3/orderNo42", "orderNo42"),
            ("orderNo1234567890", "orderNo1234567890"),
            ("Order1234567890", "Order1234567890"),
            ("oKcmmazhhyl3sXfRha9xQdp2Mp2G", "oKcmmazhhyl3sXfRha9xQdp2Mp2G"),
            ("v3/confirmStep2", "confirmStep2"),
            ("1aB", "1aB"),
            ("v3/x-Y", "x-Y"),
            ("v3/{x}Abc", "{x}Abc"),
        ] {
            let error = normalize(name).map(Cow::into_owned).expect_err(name).to_string();
            assert!(error.contains(&format!("{segment:?} looks like a value")), "{error}");
        }
        let error = normalize("v3/bill?bill_type=ALL").expect_err("query").to_string();
        assert!(error.contains("give it as an option"), "{error}");
        let error = normalize("v3/_x_/y").expect_err("inside a path").to_string();
        assert!(error.contains("inside a path write {x}"), "{error}");
        assert!(normalize("").is_err());
    }
}
