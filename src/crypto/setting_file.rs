//! Files named in settings: `file://` URLs, and paths without `file://`.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;

/// The maximum length of a path. A longer text may be a key.
const MAX_PATH: usize = 255;
/// File extensions of keys and certificates.
const EXTENSIONS: [&str; 9] = [".pem", ".key", ".crt", ".cer", ".cert", ".der", ".p12", ".pfx", ".txt"];

/// Returns the path of a `file://` URL, or `None` if the setting is not one.
pub(crate) fn url_path(setting: &str) -> Option<&str> {
    path_of_url(setting, cfg!(windows))
}

/// On Windows the slash before a drive letter, as in `file:///C:/key.pem`, is not part of the path.
fn path_of_url(setting: &str, is_windows: bool) -> Option<&str> {
    const SCHEME: &str = "file://";
    let setting = setting.trim_start_matches('\u{feff}').trim();
    let (scheme, path) = setting.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    Some(match path.as_bytes() {
        [b'/', drive, b':', ..] if is_windows && drive.is_ascii_alphabetic() => &path[1..],
        _ => path,
    })
}

/// Whether a text without `file://` is a path rather than a key: it looks like a path, or such a
/// file exists.
pub(crate) fn is_path(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_PATH || text.contains(char::is_control) || text.contains("://") {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    // These do not match a key: its base64 begins with M, which encodes the tag of a SEQUENCE.
    ["/", "./", "../", "~/", "\\", ".\\", "..\\"].iter().any(|start| text.starts_with(start))
        || matches!(text.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic())
        || EXTENSIONS.iter().any(|extension| lower.ends_with(extension))
        || Path::new(text).is_file()
}

/// Reads the file at `path`. The error is a sentence without the contents of the file.
pub(crate) fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    if path.contains("-----BEGIN") || path.contains(['\n', '\r']) {
        // It may be a key, so the message does not contain it.
        return Err(Error::config("the text after file:// is not a path: give PEM text without file://"));
    }
    if path.is_empty() {
        return Err(Error::config("file:// has no path after it: is the environment variable set?"));
    }
    match std::fs::read(path) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(_) if path.len() > MAX_PATH || path.contains("://") => {
            // It is as long as a key, so the message does not contain it.
            Err(Error::config("the text after file:// is not a readable path: give PEM text without file://"))
        }
        Err(source) => Err(Error::config(format!(
            "the file {} cannot be read ({source}): give an existing file as file:///path",
            shown(path)
        ))
        .with_source(source)),
    }
}

/// Returns a path for messages. Base64 is not shown, because it may be a line of a key.
pub(crate) fn shown(path: &str) -> &str {
    let is_base64 = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    if path.len() > MAX_PATH || path.contains(char::is_control) || (is_base64 && path.len() >= 32) {
        "***"
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_file_url_has_no_slash_before_a_drive_letter_of_windows() {
        for (url, windows, others) in [
            ("file:///C:/keys/apiclient_key.pem", "C:/keys/apiclient_key.pem", "/C:/keys/apiclient_key.pem"),
            ("file:///c:\\keys\\key.pem", "c:\\keys\\key.pem", "/c:\\keys\\key.pem"),
            ("file://C:/keys/key.pem", "C:/keys/key.pem", "C:/keys/key.pem"),
            ("file://C:\\keys\\key.pem", "C:\\keys\\key.pem", "C:\\keys\\key.pem"),
            ("file:///etc/key.pem", "/etc/key.pem", "/etc/key.pem"),
            ("file:///1:/key.pem", "/1:/key.pem", "/1:/key.pem"),
            ("FILE:///D:/key.pem", "D:/key.pem", "/D:/key.pem"),
            (" file://key.pem\n", "key.pem", "key.pem"),
            ("\u{feff}file:///etc/键.pem", "/etc/键.pem", "/etc/键.pem"),
            ("file://", "", ""),
        ] {
            assert_eq!(path_of_url(url, true), Some(windows), "{url}");
            assert_eq!(path_of_url(url, false), Some(others), "{url}");
        }
        for text in ["", "file", "file:/etc/key.pem", "/etc/key.pem", "键键键", "private.pkcs8://MII"] {
            assert_eq!(path_of_url(text, true), None, "{text}");
        }
    }

    #[test]
    fn paths_are_distinguished_from_keys() {
        for path in [
            "/etc/wechatpay/key",
            "./key",
            "../keys/key",
            "~/key",
            "key.pem",
            "keys/APICLIENT.PEM",
            "C:\\keys\\key",
            "D:/key",
            "\\\\server\\share\\key",
            " cert.crt ",
        ] {
            assert!(is_path(path), "{path}");
        }
        for text in ["", "hunter2", "MIIEvQIBADANBg", "-----BEGIN X-----\n/a.pem", "https://h/key.pem", "a\n.pem"] {
            assert!(!is_path(text), "{text}");
        }
        assert!(!is_path(&"/".repeat(256)));
    }

    #[test]
    fn a_line_of_a_key_is_not_shown_as_a_path() {
        let line = "/EvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        assert_eq!(shown(line), "***");
        assert_eq!(shown("/etc/wechatpay/merchant/apiclient_key.pem"), "/etc/wechatpay/merchant/apiclient_key.pem");
        assert_eq!(shown("/run/secrets/key"), "/run/secrets/key");
    }
}
