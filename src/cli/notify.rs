//! `wxpay notify`: verifies or decrypts a captured notification.

use serde_json::{Value, json};

use super::args::{ConfigArgs, Notify, NotifyCommand};
use super::captured::{Captured, WITHOUT_LINE_BREAK, note_age, read, signed_at};
use super::failure::Failure;
use super::output;
use super::settings::{self, Settings};
use super::verify;
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::notify;

pub(super) fn run(config: &ConfigArgs, arguments: &Notify) -> Result<(), Failure> {
    let client = settings::client_builder(config, Settings::default())?.build()?;
    let notification = match &arguments.command {
        NotifyCommand::Verify { file } => {
            let bytes = read(file)?;
            if bytes.trim_ascii_start().starts_with(b"<") {
                verify_v2(&client, &bytes)?
            } else {
                verify(&client, &bytes)?
            }
        }
        NotifyCommand::Decrypt { file } => {
            let bytes = read(file)?;
            let notification = if bytes.trim_ascii_start().starts_with(b"{") {
                decrypt(&client, &bytes)?
            } else {
                decrypt(&client, &Captured::parse(&bytes)?.body)?
            };
            output::note("the notification was not verified: anyone could have sent it");
            notification
        }
    };
    output::check(output::body(notification.to_string().as_bytes()))
}

/// Verifies an APIv2 notification, which consists only of its body.
fn verify_v2(client: &Client, body: &[u8]) -> Result<Value, Error> {
    let notification = client.notifications_v2()?.verify(body.trim_ascii())?;
    Ok(match notification.resource() {
        Value::Null => notification.fields().clone(),
        resource => json!({ "fields": notification.fields(), "resource": resource }),
    })
}

/// Verifies a notification as of the time at which it was signed.
fn verify(client: &Client, request: &[u8]) -> Result<Value, Failure> {
    let captured = Captured::parse(request)?;
    let headers = &captured.headers;
    let signed_at = signed_at(headers);
    let verified_with = |body: &[u8]| {
        let verifier = client.notifications()?.clock(move || signed_at.unwrap_or_else(clock::now));
        verifier.verify(headers, body)
    };
    let mut verified = verified_with(&captured.body);
    let is_refused = verified.as_ref().is_err_and(|error| error.kind() == ErrorKind::Verification);
    if let Some(shorter) = captured.body_without_line_break().filter(|_| is_refused) {
        let without = verified_with(shorter);
        if without.is_ok() {
            output::note(WITHOUT_LINE_BREAK);
            verified = without;
        }
    }
    let notification = verified.map_err(|error| {
        let mistake = || verify::mistake(client, &captured).or_else(|| verify::origin(client, &captured));
        match is_refused.then(mistake).flatten() {
            Some(mistake) => verify::invalid(mistake),
            None => error.into(),
        }
    })?;
    note_age(signed_at.unwrap_or_default());
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
