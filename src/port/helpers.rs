//! Functions that are appended to a program that needs them. What depends on
//! values that are known only at run time is in `wechatpay_chain::php`.

use super::imports::{BASE64, BOX_ERROR, FIELDS, Import, Imports, PHP, UNBASE64, UNIQID, VALUE, WAIT_ALL};

struct Helper {
    name: Import,
    /// The names that it uses.
    needs: &'static [Import],
    code: &'static str,
}

/// The `use` lines of a program that needs these names, and the helpers that are appended to it.
pub(super) fn imported(mut imports: Imports) -> (String, Vec<&'static str>) {
    let needed: Vec<&Helper> = HELPERS.iter().filter(|helper| imports.contains(helper.name)).collect();
    for import in needed.iter().flat_map(|helper| helper.needs) {
        imports.insert(*import);
    }
    (imports.use_lines(), needed.into_iter().map(|helper| helper.code).collect())
}

const HELPERS: &[Helper] = &[
    Helper {
        name: FIELDS,
        needs: &[VALUE, PHP],
        code: r#"/// The members of an array as pairs of text.
fn php_fields(array: &Value) -> Vec<(String, String)> {
    php::pairs(array).into_iter().map(|(key, value)| (php::text(&key), php::text(value))).collect()
}"#,
    },
    Helper {
        name: UNIQID,
        needs: &[],
        code: r#"/// `uniqid()`: the time in microseconds, in hexadecimal.
fn php_uniqid() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:08x}{:05x}", since.as_secs(), since.subsec_micros())
}"#,
    },
    Helper {
        name: BASE64,
        needs: &[],
        code: r#"/// `base64_encode($text)`.
fn php_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    out
}"#,
    },
    Helper {
        name: UNBASE64,
        needs: &[BOX_ERROR],
        code: r#"/// `base64_decode($text)`, as text.
fn php_unbase64(text: &str) -> Result<String, BoxError> {
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Ok(String::from_utf8(out)?)
}"#,
    },
    Helper {
        name: WAIT_ALL,
        needs: &[BOX_ERROR],
        code: r#"/// `Utils::unwrap($promises)`: waits for one after the other, and stops at the first error.
fn php_wait_all<T: Send + 'static>(promises: Vec<(&str, wechatpay_chain::Promise<T>)>) -> Result<Vec<(String, T)>, BoxError> {
    promises.into_iter().map(|(name, promise)| Ok((name.to_owned(), promise.wait()?))).collect()
}"#,
    },
];
