//! The IDs of platform keys: `PUB_KEY_ID_...` of a public key, the serial number of a certificate.

use crate::crypto::PublicKey;
use crate::crypto::certificate::is_decimal_serial;
use crate::proto::excerpt;

/// The prefix of a public key's ID. Any other ID is the serial number of a platform certificate.
const PUBLIC_KEY_ID_PREFIX: &str = "PUB_KEY_ID_";

/// The length of the serial number of a platform certificate, in hexadecimal.
const SERIAL_LENGTH: usize = 40;

/// The ID in the form that WeChat Pay uses: a serial number in upper case, a public key's ID
/// unchanged.
pub(crate) fn normalize_id(mut id: String) -> String {
    if id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        id.make_ascii_uppercase();
    }
    id
}

/// The error for an ID of another form. It does not contain the ID, which may be a key.
pub(crate) const NOT_AN_ID: &str = "its ID is neither PUB_KEY_ID_... nor the serial number of a certificate in hexadecimal: give the ID first, then the key";

/// The error for an empty ID.
pub(crate) const EMPTY_ID: &str = "its ID is empty: is the environment variable set?";

pub(crate) fn is_public_key_id(id: &str) -> bool {
    id.strip_prefix(PUBLIC_KEY_ID_PREFIX)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether a serial number names a public key, well-formed or not. The list of platform
/// certificates never contains it.
pub(crate) fn names_public_key(serial: &str) -> bool {
    serial.starts_with(PUBLIC_KEY_ID_PREFIX)
}

/// The reason for a signature with a public key that is not known.
///
/// Source: WeChat Pay, "微信支付公钥".
pub(crate) fn unknown_public_key(id: &str) -> String {
    format!(
        "it was made with WeChat Pay's public key {:?}, which is not one of the platform keys: add it with \
         ClientBuilder::platform_key (certs), or give it to NotificationVerifier::new; the merchant platform shows its ID and \
         offers pub_key.pem under 账户中心 > API安全 > 微信支付公钥",
        excerpt::excerpt(id)
    )
}

/// Whether the common name of a certificate is that of a merchant certificate: the merchant ID.
pub(crate) fn names_merchant(common_name: &str) -> bool {
    !common_name.is_empty() && common_name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has the form of an ID: `PUB_KEY_ID_...`, or a serial number in hexadecimal.
pub(crate) fn is_id(id: &str) -> bool {
    let is_serial = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.len() <= 64 && (is_serial || is_public_key_id(id))
}

/// An ID for messages, in quotation marks. A text that is neither an ID nor a name is not shown.
pub(crate) fn shown_id(id: &str) -> String {
    if is_id(id) { format!("{id:?}") } else { excerpt::name(id) }
}

/// Checks the form of an ID, and that the key under it has this ID.
///
/// # Errors
/// A message with the reason: the ID has an unknown form, or the key is a certificate with another
/// serial number.
pub(crate) fn validate_id(id: &str, key: &PublicKey) -> Result<(), String> {
    if !is_id(id) {
        return Err(if id.is_empty() { EMPTY_ID } else { NOT_AN_ID }.to_owned());
    }
    match key.certificate_serial() {
        Some(_) if key.common_name().is_some_and(names_merchant) => {
            Err("it is a merchant's certificate (apiclient_cert.pem): give WeChat Pay's pub_key.pem, or a \
             platform certificate"
                .to_owned())
        }
        Some(serial) if is_public_key_id(id) => Err(format!(
            "a certificate is configured with the ID of a public key: give pub_key.pem, or the certificate with its serial number {serial}"
        )),
        Some(serial) if !serial.eq_ignore_ascii_case(id) => {
            Err(format!("the certificate has the serial number {serial}"))
        }
        None if is_decimal_serial(id) => {
            Err("the ID is a decimal number: give the serial number in hexadecimal, from \
                 openssl x509 -in wechatpay_cert.pem -noout -serial"
                .to_owned())
        }
        // The serial number of a certificate has 40 digits, most of them with letters.
        None if id.len() < SERIAL_LENGTH && id.bytes().all(|byte| byte.is_ascii_digit()) => Err(format!(
            "a public key is configured with an ID of digits only: the ID of WeChat Pay's public key begins with \
             {PUBLIC_KEY_ID_PREFIX}, so write it before them"
        )),
        _ => Ok(()),
    }
}
