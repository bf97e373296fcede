//! `wxpay notify`: verifies or decrypts a captured notification.

use std::io::{self, Read as _};
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::args::{ConfigArgs, Notify, NotifyCommand};
use super::failure::Failure;
use super::output;
use super::settings::{self, Settings};
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::notify;
use crate::proto::verify::{MAX_CLOCK_OFFSET, TIMESTAMP};

/// A captured request.
struct Captured {
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(super) fn run(config: &ConfigArgs, arguments: &Notify) -> Result<(), Failure> {
    let client = settings::client_builder(config, Settings::default())?.build()?;
    let notification = match &arguments.command {
        NotifyCommand::Verify { file } => verify(&client, Captured::parse(&read(file)?)?)?,
        NotifyCommand::Decrypt { file } => {
            let bytes = read(file)?;
            let notification = match Captured::parse(&bytes) {
                _ if bytes.trim_ascii_start().starts_with(b"{") => decrypt(&client, &bytes)?,
                Ok(captured) => decrypt(&client, &captured.body)?,
                Err(failure) => return Err(failure),
            };
            output::note("the notification was not verified: anyone could have sent it");
            notification
        }
    };
    output::check(output::body(notification.to_string().as_bytes()))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = match file.to_str() {
        Some("-") => io::stdin().lock().read_to_end(&mut bytes).map(drop),
        _ => std::fs::read(file).map(|all| bytes = all),
    };
    read.map_err(|error| Failure::local_io(format!("{} cannot be read: {error}", file.display())))?;
    Ok(bytes)
}

impl Captured {
    /// Reads the headers, an empty line, and the body. A request line before them is skipped. XML
    /// needs no headers.
    fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.trim_ascii_start().starts_with(b"<") {
            return Ok(Captured { headers: HeaderMap::new(), body: bytes.to_vec() });
        }
        let (mut headers, mut rest) = (HeaderMap::new(), bytes);
        for number in 1.. {
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| {
                Failure::usage(
                    "the file has no empty line between the headers and the body: save the request as it was received",
                )
            })?;
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                break;
            }
            match header(line) {
                Some((name, value)) => drop(headers.append(name, value)),
                None if number == 1 && line.windows(6).any(|part| part == b" HTTP/") => {}
                None => {
                    return Err(Failure::usage(format!(
                        "line {number} of the file is not a header, such as Wechatpay-Serial: PUB_KEY_ID_...: the file begins \
                         with the headers of the request"
                    )));
                }
            }
        }
        Ok(Captured { headers, body: rest.to_vec() })
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let value = value.get(1..)?.trim_ascii();
    Some((HeaderName::from_bytes(name.trim_ascii()).ok()?, HeaderValue::from_bytes(value).ok()?))
}

/// Verifies a notification as of the time at which it was signed.
fn verify(client: &Client, captured: Captured) -> Result<Value, Error> {
    let Captured { headers, mut body } = captured;
    if body.trim_ascii_start().starts_with(b"<") {
        let notification = client.notifications_v2()?.verify(body.trim_ascii())?;
        return Ok(match notification.resource() {
            Value::Null => notification.fields().clone(),
            resource => json!({ "fields": notification.fields(), "resource": resource }),
        });
    }
    let signed_at = headers.get(TIMESTAMP).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let verify = |body: &[u8]| {
        let verifier = client.notifications()?.clock(move || signed_at.unwrap_or_else(clock::now));
        verifier.verify(&headers, body)
    };
    let mut verified = verify(&body);
    // An editor, and `echo`, end a file with a line break.
    if verified.as_ref().is_err_and(|error| error.kind() == ErrorKind::Verification) && body.ends_with(b"\n") {
        body.truncate(body.trim_ascii_end().len());
        let without = verify(&body);
        if without.is_ok() {
            output::note("the signature is valid for the body without the line break at the end of the file");
            verified = without;
        }
    }
    let notification = verified?;
    let age = clock::now().saturating_sub(signed_at.unwrap_or_default());
    if age.abs() > MAX_CLOCK_OFFSET {
        output::note(&format!(
            "the signature is valid, and {age} s old: a server that receives this request now must refuse it"
        ));
    }
    Ok(readable(&notification))
}

/// The notification with its resource in plain text.
fn readable(notification: &notify::Notification) -> Value {
    let mut shown = notification.envelope().clone();
    shown["resource"] = notification.resource().clone();
    shown
}

fn decrypt(client: &Client, body: &[u8]) -> Result<Value, Error> {
    client.notifications()?.decrypt_unverified(body).map(|notification| readable(&notification))
}
