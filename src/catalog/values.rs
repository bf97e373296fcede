//! Names and values of fields: whether they are the documented ones.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::field::{Encoding, Field, FieldType};
use crate::proto::excerpt::is_name;
use crate::proto::similar::similar;

/// How values are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With their JSON types.
    Json,
    /// As text: in a path, a query, a header, or XML.
    Text,
}

/// A name that the caller gave. A text that is not a name may be a value whose place was exchanged
/// with that of a name: a key, the name of a person, a telephone number or an OpenID.
pub(super) fn shown(name: &str) -> &str {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_long_name = || name.len() <= 80 && name.contains('_') && name.chars().all(is_letter);
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let is_identifier =
        digits > 4 || name.len() > 20 && digits > 0 && name.bytes().any(|byte| byte.is_ascii_uppercase());
    if (is_name(name) || is_long_name()) && name.is_ascii() && !is_identifier { name } else { "***" }
}

/// Whether a text contains JSON. The tables do not mark all of these.
pub(super) fn is_json_text(field: &Field) -> bool {
    field.encoding == Encoding::Json || !field.fields.is_empty()
}

/// Whether a name is the documented one. `$n` stands for a number.
pub(super) fn is_named(documented: &str, name: &str) -> bool {
    if !documented.contains('$') {
        return documented == name;
    }
    let mut rest = name;
    documented.split_inclusive(['_', '-']).all(|part| {
        if let Some(part) = part.strip_prefix('$') {
            let end = part.get(1..).unwrap_or_default();
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let is_number = after.len() < rest.len();
            rest = after.strip_prefix(end).unwrap_or("-");
            is_number
        } else {
            rest.strip_prefix(part).map(|after| rest = after).is_some()
        }
    }) && rest.is_empty()
}

pub(super) fn has_type(field_type: FieldType, value: &Value, form: Form) -> bool {
    let is_text = form == Form::Text;
    match (field_type, value) {
        (FieldType::String, Value::String(_)) => true,
        (FieldType::String, Value::Number(_) | Value::Bool(_)) => is_text,
        (FieldType::Integer, Value::Number(number)) => {
            // In JSON, 100.0 is written with its fraction.
            !number.is_f64() || is_text && number.as_f64().is_some_and(|float| float.fract() == 0.0)
        }
        (FieldType::Integer, Value::String(text)) => is_text && text.parse::<i128>().is_ok(),
        (FieldType::Number, Value::Number(_)) => true,
        (FieldType::Number, Value::String(text)) => is_text && text.parse::<f64>().is_ok_and(f64::is_finite),
        (FieldType::Boolean, Value::Bool(_)) => true,
        (FieldType::Boolean, Value::String(text)) => {
            is_text && matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "1" | "0")
        }
        (FieldType::Boolean, Value::Number(number)) => is_text && matches!(number.as_u64(), Some(0 | 1)),
        _ => false,
    }
}

/// Whether a text can be the result of RSA with a key of 2048, 3072 or 4096 bits.
pub(super) fn is_ciphertext(text: &str) -> bool {
    matches!(text.len(), 344 | 512 | 684) && STANDARD.decode(text).is_ok()
}

/// A path without its place and its indices.
pub(super) fn plain(path: &str) -> String {
    let path = path.strip_prefix("json.").unwrap_or(path);
    let mut names = path.split('.').map(|name| name.split('[').next().unwrap_or(name));
    let first = names.next().unwrap_or_default().to_owned();
    names.fold(first, |path, name| path + "." + name)
}

/// The documented path of a field with this name anywhere below.
pub(super) fn nested(fields: &[Field], name: &str, path: &str) -> Option<String> {
    let here = fields.iter().find(|field| field.name == name).map(|field| format!("{path}.{}", field.name));
    here.or_else(|| {
        fields.iter().find_map(|field| {
            let list = if field.list { "[]" } else { "" };
            nested(&field.fields, name, &format!("{path}.{}{list}", field.name))
        })
    })
}

/// The documented name that was probably meant.
pub(super) fn closest<'a>(name: &str, documented: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if name.len() > 128 {
        return None;
    }
    let one_typo = documented.clone().find(|known| *known != name && strsim::damerau_levenshtein(name, known) == 1);
    one_typo.or_else(|| similar(name, documented))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_matched() {
        for (documented, name, expected) in [
            ("coupon_type_$n", "coupon_type_0", true),
            ("coupon_type_$n", "coupon_type_12", true),
            ("coupon_type_$n", "coupon_type_", false),
            ("coupon_type_$n", "coupon_type_x", false),
            ("coupon_type_$n", "coupon_type_1_2", false),
            ("coupon_refund_id_$n_$m", "coupon_refund_id_0_1", true),
            ("coupon_refund_id_$n_$m", "coupon_refund_id_0", false),
            ("total", "total", true),
            ("total", "tota", false),
        ] {
            assert_eq!(is_named(documented, name), expected, "{documented} {name}");
        }
    }

    #[test]
    fn personal_values_are_not_shown_as_names() {
        for name in ["outTradeNo", "coupon_type_0", "x-custom", "detail", "applyment4sub", "business_license_info"] {
            assert_eq!(shown(name), name);
        }
        for value in [
            "13800138000",
            "11010119900101123X",
            "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
            "oUpFuMuAJO_MpxbQzNjWeSo7",
            "张三",
            "a@example.com",
            "6225880137706868",
            "4200000000202111281234567890",
        ] {
            assert_eq!(shown(value), "***");
        }
    }

    #[test]
    fn only_the_result_of_rsa_is_a_ciphertext() {
        let ciphertext = STANDARD.encode([7; 256]);
        assert!(is_ciphertext(&ciphertext));
        for text in ["张三", "110101199001011234", "6225880137706868", "pVd1HJ6zyvPedzGaV+X3qtmrq9bb9tPROvwia4ibL+E="]
        {
            assert!(!is_ciphertext(text), "{text}");
        }
    }
}
