//! `wxpay verify`: verifies a captured request or response, or a message, and finds the mistake if
//! the signature is not valid.

use std::ops::RangeInclusive;

use base64::prelude::{BASE64_STANDARD, Engine};
use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};

use super::args::{ConfigArgs, Verify, VerifyCommand};
use super::captured::{Captured, WITHOUT_LINE_BREAK, is_in_milliseconds, note_age, read, signed_at};
use super::failure::Failure;
use super::settings::{self, Settings};
use super::{output, sign, translate};
use crate::client::Client;
use crate::clock;
use crate::crypto::file_digest::{Algorithm, FileDigest};
use crate::crypto::{PrivateKey, PublicKey};
use crate::pipeline::send::Promise;
use crate::proto::base_uri::BaseUri;
use crate::proto::signature_origin::{SignatureOrigin, signature_origin};
use crate::proto::signing_mistakes::{self, SignedParts};
use crate::proto::signing_string::{self, Authorization};
use crate::proto::verify::{self, Signed};

/// The valid lengths of a signature, in bytes: from keys of 2048 bits, the length of all keys of
/// WeChat Pay, to keys of 4096 bits.
const SIGNATURE_LENGTHS: RangeInclusive<usize> = 256..=512;

pub(super) fn run(config: &ConfigArgs, arguments: &Verify) -> Result<(), Failure> {
    let valid = match &arguments.command {
        VerifyCommand::Request { file } => request(&settings::load(config, Settings::default())?, &read(file)?)?,
        VerifyCommand::Response { file } => {
            response(&settings::client_builder(config, Settings::default())?.build()?, &read(file)?)?
        }
        VerifyCommand::Message { file, signature } => {
            message(&settings::load(config, Settings::default())?, &read(file)?, signature)?
        }
    };
    output::check(output::stdout_line(&translate::message(&valid)))
}

/// Verifies a request with the public key of the merchant's private key.
fn request(settings: &Settings, file: &[u8]) -> Result<String, Failure> {
    let key = merchant_key(settings)?.ok_or_else(|| {
        Failure::usage("the setting private_key is missing: a request is verified with the merchant's key")
    })?;
    let captured = Captured::parse(file)?;
    let mut line = captured.first_line.split(' ');
    let (Some(method), Some(url), Some(_)) = (line.next(), line.next(), line.next()) else {
        return Err(Failure::usage(
            "the file does not begin with the line of the request, such as POST /v3/pay/transactions/native HTTP/1.1",
        ));
    };
    let target = sign::target(url)?;
    let body = signed_part(&captured)?;
    let shorter = captured.body_without_line_break().filter(|_| !is_upload(&captured));
    let header = |name| captured.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = verify::only(&captured.headers, AUTHORIZATION.as_str()).map_err(invalid)?;
    let fields = Authorization::parse(authorization).map_err(invalid)?;
    let differs = |name: &str, signed: &str, setting: &Option<String>| {
        let setting = setting.as_deref().filter(|setting| !setting.eq_ignore_ascii_case(signed))?;
        Some(format!("{name} of Authorization is {signed}, and that of the settings is {setting}"))
    };
    let differences =
        [differs("mchid", fields.mchid, &settings.mchid), differs("serial_no", fields.serial, &settings.serial)];
    differences.iter().flatten().for_each(|difference| output::note(difference));
    let message = |body: &[u8]| signing_string::request(method, &target, fields.timestamp, fields.nonce, body);
    let signature = decode(fields.signature)?;
    let is_valid = key.verify(&message(body), &signature);
    if is_valid || shorter.is_some_and(|body| key.verify(&message(body), &signature)) {
        if !is_valid {
            output::note(WITHOUT_LINE_BREAK);
        }
        if is_in_milliseconds(fields.timestamp) {
            return Err(invalid("the time in Authorization is in milliseconds, and must be in seconds"));
        }
        note_age(fields.timestamp);
        if let Some(difference) = differences.iter().flatten().next() {
            let message =
                format!("the signature is valid for this key, but WeChat Pay refuses the request: {difference}");
            return Err(Failure { code: 6, message });
        }
        return Ok("the signature is valid: it was made with the merchant's private key".to_owned());
    }
    let base_uri = header(HOST).map_or_else(|| BaseUri::DEFAULT.to_owned(), |host| format!("https://{host}/"));
    let diagnose = |body| {
        let (timestamp, nonce) = (fields.timestamp, fields.nonce);
        let parts = SignedParts { method, target: &target, timestamp, nonce, body, base_uri: &base_uri };
        signing_mistakes::diagnose(&parts, &message(body), &signature, &key)
    };
    let mut found = diagnose(shorter.unwrap_or(body));
    if found.signed.is_none() && shorter.is_some() {
        found = diagnose(body);
    }
    output::signed_message(&message(shorter.unwrap_or(body)));
    Err(invalid(found.reason))
}

fn is_upload(captured: &Captured) -> bool {
    let media_type = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase();
    captured.headers.get(CONTENT_TYPE).is_some_and(|value| media_type(value).starts_with(b"multipart/"))
}

/// The bytes that the signature of a request covers: the body, or the part `meta` of an upload.
fn signed_part(captured: &Captured) -> Result<&[u8], Failure> {
    if !is_upload(captured) {
        return Ok(&captured.body);
    }
    let meta = boundary(captured).and_then(|boundary| meta_part(&captured.body, &boundary));
    meta.ok_or_else(|| Failure::usage("the upload has no part named meta with CRLF line ends: that part is signed"))
}

/// The boundary between the parts of an upload.
fn boundary(captured: &Captured) -> Option<String> {
    let content_type = captured.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let is_boundary = |name: &str| name.trim().eq_ignore_ascii_case("boundary");
    let parameters = content_type.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, boundary) = parameters.into_iter().find(|(name, _)| is_boundary(name))?;
    Some(boundary.trim().trim_matches('"').to_owned()).filter(|boundary| !boundary.is_empty())
}

/// The contents of the part `meta`. The name is searched in the headers of each part only, because
/// a file can contain the same text.
fn meta_part<'a>(body: &'a [u8], boundary: &str) -> Option<&'a [u8]> {
    let find = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).position(|window| window == text);
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter has no line end before it.
    let mut rest = body.get(find(body, delimiter.trim_start().as_bytes())? + delimiter.len() - 2..)?;
    loop {
        let end = find(rest, delimiter.as_bytes())?;
        let (part, next) = (rest.get(..end)?, rest.get(end + delimiter.len()..)?);
        if let Some(at) = find(part, b"\r\n\r\n") {
            if find(part.get(..at)?, b" name=\"meta\"").is_some() {
                return part.get(at + 4..);
            }
        }
        rest = next;
    }
}

/// Verifies a response as of the time at which it was signed.
fn response(client: &Client, file: &[u8]) -> Result<String, Failure> {
    let captured = Captured::parse(file)?;
    let now = clock::now();
    let signed_at = signed_at(&captured.headers).unwrap_or(now);
    let Signed { serial, signature, message } = signed(&captured, &captured.body, signed_at).map_err(invalid)?;
    let is_request = !captured.first_line.is_empty() && !captured.first_line.starts_with("HTTP/");
    if is_request {
        output::note("the file is a request, such as a notification, and not a response");
    }
    let verified = {
        let (verifier, serial) = (client.inner.verifier.clone(), serial.to_owned());
        let (message, signature) = (message.clone(), signature.clone());
        Promise::new(async move { Ok(verifier.verify(&serial, &message, &signature).await) }).wait()?
    };
    let valid = || format!("the signature is valid: it was made with the platform key {serial}");
    let Err(reason) = verified else {
        note_age(signed_at);
        return Ok(valid());
    };
    let Some(key) = client.inner.platform_keys.known_key(serial) else {
        // The platform key is not available, so no signature was compared.
        return Err(Failure::usage(format!("the signature cannot be verified: {reason}")));
    };
    let is_valid = |body: &[u8]| {
        signed(&captured, body, signed_at).is_ok_and(|signed| key.verify(&signed.message, &signed.signature))
    };
    if captured.body_without_line_break().is_some_and(is_valid) {
        output::note(WITHOUT_LINE_BREAK);
        note_age(signed_at);
        return Ok(valid());
    }
    match mistake(client, &captured) {
        Some(mistake) => Err(invalid(mistake)),
        None => {
            output::signed_message(&message);
            Err(invalid(origin(client, &captured).unwrap_or_else(|| reason.to_string())))
        }
    }
}

/// Whether the platform key of a response or a notification made its invalid signature. `None` if
/// the key is not known, or the headers cannot be read.
pub(super) fn origin(client: &Client, captured: &Captured) -> Option<String> {
    let Signed { serial, signature, .. } = signed(captured, &captured.body, signed_at(&captured.headers)?).ok()?;
    let key = client.inner.platform_keys.known_key(serial)?;
    Some(match signature_origin(&key, &signature) {
        SignatureOrigin::WrongDigest => other_digest(&format!("the platform key {serial}")),
        SignatureOrigin::SameKey => format!(
            "it was made with the platform key {serial}, but over other bytes: the time, the nonce or the body in the file \
             is not the one that was signed"
        ),
        SignatureOrigin::AnotherKey => format!(
            "it does not match the platform key {serial}: another key made it, or its characters were changed; compare the \
             key in the settings with the one of this ID on the merchant platform"
        ),
    })
}

/// Finds the mistake that makes the signature of a response or a notification invalid. `None` if no
/// usual mistake explains it.
pub(super) fn mistake(client: &Client, captured: &Captured) -> Option<String> {
    let signed_at = signed_at(&captured.headers)?;
    let Signed { serial, signature, message } = signed(captured, &captured.body, signed_at).ok()?;
    let key = client.inner.platform_keys.known_key(serial)?;
    let is_valid = |captured: &Captured, body: &[u8], signed_at| {
        signed(captured, body, signed_at).is_ok_and(|signed| key.verify(&signed.message, &signed.signature))
    };
    if let Some(change) = signing_mistakes::changed_body(&captured.body, |body| is_valid(captured, body, signed_at)) {
        return Some(format!(
            "it is valid for the body {change}: the file, or the program that verifies, does not have the body as it was received"
        ));
    }
    if let Some(length) = captured.content_length().filter(|length| *length > captured.body.len()) {
        let read = captured.body.len();
        return Some(format!(
            "the body in the file has {read} bytes, and Content-Length is {length}: the end is missing"
        ));
    }
    if let Some(signer) = client.inner.platform_keys.known_signer(&message, &signature) {
        return Some(format!("it was made with the platform key {signer}, and Wechatpay-Serial is {serial}"));
    }
    if is_in_milliseconds(signed_at) {
        let seconds = signed_at / 1000;
        let mut headers = captured.headers.clone();
        headers.insert(verify::TIMESTAMP, HeaderValue::from(seconds));
        let corrected = Captured { first_line: captured.first_line.clone(), headers, body: captured.body.clone() };
        if is_valid(&corrected, &corrected.body, seconds) {
            return Some("Wechatpay-Timestamp is in milliseconds, and seconds were signed".to_owned());
        }
    }
    None
}

/// The signature of a response, and the message that it covers. The message contains the body. For
/// an overseas statement, it contains the digest of the body, which is compared with the body.
fn signed<'a>(captured: &'a Captured, body: &[u8], signed_at: i64) -> Result<Signed<'a>, String> {
    let headers = &captured.headers;
    // The signature of a refusal covers its body.
    let is_refusal = captured.first_line.split(' ').nth(1).is_some_and(|status| !status.starts_with('2'));
    if is_refusal || !headers.contains_key(verify::STATEMENT_SHA1) {
        return verify::check_headers(headers, body, signed_at);
    }
    let (sha1, covered) = verify::statement(headers)?;
    let mut digest = FileDigest::new(Algorithm::Sha1, sha1);
    digest.update(body);
    digest.finish()?;
    verify::check_headers(headers, covered.as_bytes(), signed_at)
}

/// Verifies a message with all keys of the settings.
fn message(settings: &Settings, message: &[u8], signature: &str) -> Result<String, Failure> {
    let mut keys: Vec<(String, PublicKey)> = Vec::new();
    keys.extend(merchant_key(settings)?.map(|key| ("the merchant's private key".to_owned(), key)));
    for (id, source) in &settings.certs {
        keys.push((format!("the platform key {id}"), PublicKey::from_pem(source)?));
    }
    if keys.is_empty() {
        return Err(Failure::usage("the settings have no keys: set private_key, or a platform key in [certs]"));
    }
    let signature = decode(signature)?;
    let signer = |message: &[u8]| keys.iter().find(|(_, key)| key.verify(message, &signature)).map(|(name, _)| name);
    let problems = signing_mistakes::message_problems(message, clock::now());
    if let Some(name) = signer(message) {
        problems.iter().for_each(|problem| output::note(&format!("the message has a valid signature, but {problem}")));
        return Ok(format!("the signature is valid: it was made with {name}"));
    }
    problems.iter().for_each(|problem| output::note(&format!("the message: {problem}")));
    if let Some(change) = signing_mistakes::changed_message(message, |guess| signer(guess).is_some()) {
        return Err(invalid(format!("it is valid for the message {change}")));
    }
    output::signed_message(message);
    for (name, key) in &keys {
        match signature_origin(key, &signature) {
            SignatureOrigin::SameKey => {
                return Err(invalid(format!(
                    "it was made with {name}, but over other bytes, and no usual mistake in the line ends explains it: \
                     compare each line with what was signed"
                )));
            }
            SignatureOrigin::WrongDigest => return Err(invalid(other_digest(name))),
            SignatureOrigin::AnotherKey => {}
        }
    }
    let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
    Err(invalid(format!(
        "another key made it than {}, or its characters were changed, or its padding is not PKCS#1 v1.5",
        names.join(", ")
    )))
}

fn other_digest(key: &str) -> String {
    format!("it was made with {key}, but the digest is not SHA-256: sign with SHA256withRSA")
}

/// The public key of the merchant.
fn merchant_key(settings: &Settings) -> Result<Option<PublicKey>, Failure> {
    let Some(setting) = settings.private_key.as_deref() else { return Ok(None) };
    Ok(Some(PrivateKey::from_pem(setting)?.public_key()))
}

/// Decodes a signature and checks its length.
fn decode(signature: &str) -> Result<Vec<u8>, Failure> {
    let signature = BASE64_STANDARD.decode(signature.trim()).map_err(|_| {
        invalid("it is not base64: a + can have become a space, and a line break or the end can be missing")
    })?;
    if SIGNATURE_LENGTHS.contains(&signature.len()) {
        return Ok(signature);
    }
    Err(invalid(format!(
        "it has {} bytes, and a signature by a key of 2048 bits has {}",
        signature.len(),
        SIGNATURE_LENGTHS.start()
    )))
}

pub(super) fn invalid(reason: impl std::fmt::Display) -> Failure {
    Failure { code: 6, message: format!("the signature is not valid: {reason}") }
}
