//! The functions of the PHP SDK's class `Transformer`, with names in snake case. They are for
//! ported code that reads or writes the XML of APIv2 itself. Calls and notifications do not need
//! them: see the option `xml`, [`Response::xml`](crate::Response::xml) and
//! [`notify::v2`](crate::notify::v2).
//!
//! ```
//! use serde_json::json;
//! use wechatpay_chain::transformer;
//!
//! let xml = "<xml><return_code><![CDATA[SUCCESS]]></return_code><total_fee>1</total_fee></xml>";
//! let fields = json!({ "return_code": "SUCCESS", "total_fee": "1" });
//! assert_eq!(transformer::to_array(xml)?, fields);
//!
//! let fields = json!({ "return_msg": "1 < 2" });
//! let xml = "<xml><return_msg><![CDATA[1 < 2]]></return_msg></xml>";
//! assert_eq!(transformer::to_xml(&fields)?, xml);
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::proto::json_depth;
use crate::proto::json_type::kind;
use crate::proto::xml;

/// Parses XML into the fields below the root element, in their order, as
/// [`Response::xml`](crate::Response::xml) does.
///
/// # Errors
/// Fails with [`ErrorKind::Decode`] if the text is not XML, has a document type declaration, is
/// nested deeper than 32 elements, or has more than 65,536 elements.
pub fn to_array(xml: impl AsRef<[u8]>) -> Result<Value, Error> {
    xml::fields(xml.as_ref())
        .map_err(|reason| Error::new(ErrorKind::Decode, format!("the text is not the expected XML: {reason}")))
}

/// Writes the fields as XML below the root element `<xml>`, without an XML declaration. Text that
/// needs escaping is put into CDATA sections.
///
/// # Errors
/// Fails with [`ErrorKind::Options`] if `fields` is not an object, or is nested too deeply.
pub fn to_xml(fields: &Value) -> Result<String, Error> {
    let fields = fields
        .as_object()
        .ok_or_else(|| Error::options(format!("the fields of XML are {} where an object is needed", kind(fields))))?;
    fields.values().try_for_each(json_depth::check).map_err(Error::options)?;
    Ok(xml::write(fields))
}

/// Removes the characters that XML forbids, such as control characters in a nickname.
#[must_use]
pub fn sanitize(text: &str) -> String {
    text.chars().filter(|c| xml::is_allowed(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn round_trip() {
        let fields = json!({ "a": "<&>", "b": { "c": "中" }, "d": "" });
        assert_eq!(to_array(to_xml(&fields).expect("an object")).expect("XML"), fields);
        assert_eq!(to_array("<xml><a>x\u{8}y</a></xml>").expect("XML"), json!({ "a": "xy" }));
        assert_eq!(sanitize("a\u{8}\tb\u{ffff}"), "a\tb");
        assert_eq!(to_array("{}").expect_err("JSON").kind(), ErrorKind::Decode);
        assert!(to_xml(&json!([])).expect_err("a list").message().contains("an array where"));
    }
}
