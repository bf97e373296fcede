//! The PHP SDK's `Transformer`, under its names in snake case: for code carried over that reads or writes the XML of APIv2 itself.
//!
//! ```
//! use serde_json::json;
//! use wechatpay_chain::transformer;
//!
//! let fields = transformer::to_array(b"<xml><appid>wx8888888888888888</appid></xml>")?;
//! assert_eq!(fields, json!({ "appid": "wx8888888888888888" }));
//! assert_eq!(transformer::to_xml(&fields)?, "<xml><appid>wx8888888888888888</appid></xml>");
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::options::kind;
use crate::proto::xml;

/// The fields below the root of an XML document, each a string, as [`Response::xml`](crate::Response::xml) reads them.
///
/// # Errors
/// [`ErrorKind::Decode`] when it is no XML, has a document type, or is larger than any message of the service.
pub fn to_array(text: impl AsRef<[u8]>) -> Result<Value, Error> {
    let fields = xml::read(text.as_ref())
        .map_err(|said| Error::new(ErrorKind::Decode, format!("the text is not the XML that was expected: {said}")))?;
    let mut fields = Value::Object(fields);
    xml::sanitize(&mut fields);
    Ok(fields)
}

/// The fields as XML, in their order, as a call of APIv2 sends them.
///
/// # Errors
/// [`ErrorKind::Options`] when the fields are no object.
pub fn to_xml(fields: &Value) -> Result<String, Error> {
    match fields {
        Value::Object(fields) => Ok(xml::write(fields)),
        other => Err(Error::options(format!("the fields are {} where an object is needed", kind(other)))),
    }
}
