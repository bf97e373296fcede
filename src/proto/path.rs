//! The names of a chain: PHP's case rule, and the refusal of what it would mangle.

use std::borrow::Cow;

use crate::error::{Error, excerpt};

/// Turns one name or a whole path, as written in `seg`, `chain` or `[...]`, into template text.
///
/// As in PHP, `_x_` is the variable `{x}`, and a camelCase word becomes kebab-case. Text inside `{...}` and `<...>` is left
/// alone. Text with capitals that is no camelCase word is almost always a value pasted into the path, which PHP lower-cases
/// without a word; here it is an error.
///
/// ```text
/// permissionTokens                    permission-tokens
/// complaintsV2                        complaints-v2
/// Pay                                 pay             (PascalCase, at the start only)
/// _card_id_                           {card_id}
/// v3/merchantService/complaints/{Id}  v3/merchant-service/complaints/{Id}
/// v3/cards/pbLatjvWOibDc5             an error: looks like a value
/// ```
pub(crate) fn normalize(name: &str) -> Result<Cow<'_, str>, Error> {
    if name.is_empty() {
        return Err(Error::path("the name of a path segment is empty"));
    }
    if let Some(variable) = name.strip_prefix('_').and_then(|rest| rest.strip_suffix('_')) {
        if !variable.contains(['/', '{', '}', '<', '>']) {
            return Ok(Cow::Owned(format!("{{{variable}}}")));
        }
    }
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(Cow::Borrowed(name));
    }
    kebab(name).map(Cow::Owned)
}

fn kebab(name: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(name.len() + 8);
    let mut closing = None;
    let mut in_query = false;
    let mut previous = None;
    let mut rest = name.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match closing {
            Some(end) => closing = (c != end).then_some(end),
            None if c == '{' => closing = Some('}'),
            None if c == '<' => closing = Some('>'),
            None => in_query |= c == '?',
        }
        if !c.is_ascii_uppercase() || closing.is_some() {
            out.push(c);
        } else if in_query {
            return Err(Error::path(format!(
                "the query in the path {:?} has capitals, which a path does not keep: give it as an option, \
                 {{\"query\": {{\"name\": \"value\"}}}}",
                excerpt(name)
            )));
        } else {
            let mut ahead = rest.clone().map(|(_, c)| c);
            let (next, after) = (ahead.next(), ahead.next());
            let continues = match next {
                None | Some('/') => true,
                Some(n) if n.is_ascii_digit() => !after.is_some_and(|a| a.is_ascii_digit()),
                Some(n) => n.is_ascii_lowercase(),
            };
            let begins = match previous {
                None => true,
                Some(p) => char::is_ascii_lowercase(&p) || char::is_ascii_digit(&p),
            };
            if !continues || !begins {
                return Err(looks_like_a_value(name, at));
            }
            if previous.is_some() {
                out.push('-');
            }
            out.push(c.to_ascii_lowercase());
        }
        previous = Some(c);
    }
    Ok(out)
}

fn looks_like_a_value(name: &str, at: usize) -> Error {
    let start = name.get(..at).and_then(|head| head.rfind('/')).map_or(0, |slash| slash + 1);
    let segment = name.get(start..).unwrap_or(name).split('/').next().unwrap_or(name);
    let segment = excerpt(segment);
    Error::path(format!(
        "the path segment {segment:?} looks like a value, or is no camelCase word, and capitals would be lost from it: \
         write a variable in its place, such as \"{{id}}\", and give the value in the options, {{\"id\": {segment:?}}}"
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
            ("v3/_x_/y", "v3/_x_/y"),
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
            ("v3/caf%C3%A9", "caf%C3%A9"),
            ("v3/x-Y", "x-Y"),
            ("v3/{x}Abc", "{x}Abc"),
        ] {
            let error = normalize(name).map(Cow::into_owned).expect_err(name).to_string();
            assert!(error.contains(&format!("{segment:?} looks like a value")), "{error}");
        }
        let error = normalize("v3/bill?bill_type=ALL").expect_err("query").to_string();
        assert!(error.contains("give it as an option"), "{error}");
        assert!(normalize("").is_err());
    }
}
