//! The `Authorization` header of a v3 request.
//!
//! Source: WeChat Pay, "设置 HTTP 头" of "签名生成".

use std::fmt::Write;

/// The authentication scheme: RSA-2048 with SHA-256.
pub(crate) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// The header's five fields. Field order and the missing blanks after the commas are those of the PHP SDK.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) mchid: &'a str,
    pub(crate) serial: &'a str,
    pub(crate) timestamp: i64,
    pub(crate) nonce: &'a str,
    /// Base64.
    pub(crate) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `WECHATPAY2-SHA256-RSA2048 mchid="..",serial_no="..",timestamp="..",nonce_str="..",signature=".."`
    pub(crate) fn build(&self) -> String {
        let Authorization { mchid, serial, timestamp, nonce, signature } = self;
        // One allocation: a timestamp has ten digits, and names and quotes 56 bytes.
        let room = SCHEME.len() + mchid.len() + serial.len() + nonce.len() + signature.len() + 80;
        let mut header = String::with_capacity(room);
        // Writing into a String does not fail.
        let _ = write!(
            header,
            r#"{SCHEME} mchid="{mchid}",serial_no="{serial}",timestamp="{timestamp}",nonce_str="{nonce}",signature="{signature}""#
        );
        header
    }

    /// Reads a header as the service does: any order of the fields, blanks after the commas allowed, each field once.
    /// The error says what is wrong in the words of a message to the sender.
    #[cfg_attr(not(feature = "sandbox"), allow(dead_code, reason = "only a server reads this header"))]
    pub(crate) fn parse(header: &'a str) -> Result<Self, String> {
        let fields = header
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| format!("the scheme of Authorization must be {SCHEME}"))?;
        let mut found: [(&str, Option<&'a str>); 5] =
            [("mchid", None), ("serial_no", None), ("timestamp", None), ("nonce_str", None), ("signature", None)];
        for field in fields.split(',') {
            let (name, value) = field
                .trim()
                .split_once('=')
                .ok_or_else(|| "a field of Authorization is not name=\"value\"".to_owned())?;
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .ok_or_else(|| format!("{name} of Authorization is not in quotes"))?;
            let slot = found
                .iter_mut()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| "Authorization has a field that is not known".to_owned())?;
            if slot.1.replace(value).is_some() {
                return Err(format!("{name} stands twice in Authorization"));
            }
        }
        let missing = |name: &str| format!("{name} is missing in Authorization");
        let [mchid, serial, timestamp, nonce, signature] =
            found.map(|(name, value)| value.filter(|value| !value.is_empty()).ok_or_else(|| missing(name)));
        Ok(Authorization {
            mchid: mchid?,
            serial: serial?,
            timestamp: timestamp?
                .parse()
                .map_err(|_| "timestamp of Authorization is no number of seconds".to_owned())?,
            nonce: nonce?,
            signature: signature?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Authorization<'_> = Authorization {
        mchid: "1900000109",
        serial: "3775",
        timestamp: 1_700_000_000,
        nonce: "N",
        signature: "c2ln/+==",
    };

    #[test]
    fn built_as_php_builds_it_and_read_back() {
        let header = FIELDS.build();
        assert_eq!(
            header,
            r#"WECHATPAY2-SHA256-RSA2048 mchid="1900000109",serial_no="3775",timestamp="1700000000",nonce_str="N",signature="c2ln/+==""#
        );
        assert!(Authorization::parse(&header) == Ok(FIELDS));
        let spaced = header.replace("\",", "\", ");
        assert!(Authorization::parse(&spaced) == Ok(FIELDS));
    }

    #[test]
    fn each_fault_has_its_words() {
        let header = FIELDS.build();
        for (broken, words) in [
            (header.replace("SHA256", "SM3"), "scheme"),
            (header.replace("mchid=\"1900000109\",", ""), "mchid is missing"),
            (header.replace("\"N\"", "\"\""), "nonce_str is missing"),
            (header.replace("\"1700000000\"", "\"now\""), "timestamp of"),
            (header.replace("\"1700000000\"", "1700000000"), "not in quotes"),
            (format!("{header},mchid=\"2\""), "mchid stands twice"),
            (format!("{header},x=\"2\""), "not known"),
            (format!("{header},"), "not name="),
            (SCHEME.to_owned(), "scheme"),
        ] {
            let error = Authorization::parse(&broken).err().unwrap_or_default();
            assert!(error.contains(words), "{words:?} not in {error:?}");
        }
    }
}
