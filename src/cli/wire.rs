//! `wxpay wire`: prints the requests that would be sent, without sending them.

use std::io::{self, BufRead, BufWriter, Write};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::args::{ConfigArgs, Wire};
use super::failure::Failure;
use super::settings::{self, Settings};
use super::{json_precision, output, sign};
use crate::client::chain;
use crate::clock;
use crate::crypto::random;
use crate::error::Error;
use crate::options::Options;
use crate::options::keys::RESERVED;
use crate::pipeline::sign::{Credential, is_merchant_id};
use crate::proto::base_uri::BaseUri;
use crate::proto::request::{self, SigningInput, UnsignedRequest};
use crate::proto::v2;
use crate::proto::verify::SERIAL;
use crate::transport::runtime;

/// One line of the input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputLine {
    method: String,
    template: Option<String>,
    chain: Option<Vec<String>>,
    #[serde(default)]
    options: Option<Value>,
    mchid: Option<String>,
    /// Any value; it is copied to the output, so that the caller can find the line again.
    id: Option<Value>,
}

/// One line of the output.
#[derive(Serialize)]
#[serde(untagged)]
enum OutputLine {
    Request {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Value>,
        method: String,
        uri: String,
        target: String,
        headers: Map<String, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body_base64: Option<String>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Value>,
        error: LineError,
    },
}

#[derive(Serialize)]
struct LineError {
    kind: &'static str,
    message: String,
}

/// The credentials that sign the requests, with the fixed values of the arguments.
struct Signing {
    credential: Credential,
    nonce: Option<String>,
    timestamp: Option<i64>,
}

/// The size of the output buffer, in bytes.
const BUFFER_SIZE: usize = 1 << 16;

pub(super) fn run(config: &ConfigArgs, wire: &Wire) -> Result<(), Failure> {
    let mut builder = settings::client_builder(config, Settings::default())?;
    let base = builder.checked_base_uri()?;
    let mut signing = if wire.unsigned {
        None
    } else {
        wire.nonce.as_deref().map(sign::checked_nonce).transpose()?;
        let credential = builder.credential(&base)?;
        Some(Signing { credential, nonce: wire.nonce.clone(), timestamp: wire.timestamp })
    };
    let platform_key_id = builder.platform_key_id();
    let mut out = BufWriter::with_capacity(BUFFER_SIZE, io::stdout().lock());
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        number += 1;
        line.clear();
        let read = input
            .read_until(b'\n', &mut line)
            .map_err(|error| Failure::local_io(format!("standard input: {error}")))?;
        if read == 0 {
            return output::check(out.flush());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let output = convert(number, &line, &base, platform_key_id.as_ref(), signing.as_mut());
        let written = serde_json::to_writer(&mut out, &output).map_err(io::Error::from);
        if let Err(error) = written.and_then(|()| out.write_all(b"\n")) {
            return output::check(Err(error));
        }
    }
}

/// The output for one line of the input.
fn convert(
    number: u64,
    line: &[u8],
    base: &BaseUri,
    key_id: Option<&HeaderValue>,
    signing: Option<&mut Signing>,
) -> OutputLine {
    let mut id = None;
    let request = parse(number, line).and_then(|mut line| {
        id = line.id.take();
        build_request(line, base, key_id, signing)
    });
    match request {
        Ok(request) => output_line(id, request),
        Err(error) => {
            OutputLine::Error { id, error: LineError { kind: error.kind().as_str(), message: error.to_string() } }
        }
    }
}

fn parse(number: u64, line: &[u8]) -> Result<InputLine, Error> {
    let line = std::str::from_utf8(line).map_err(|error| {
        Error::options(format!("line {number} is not valid input: it is not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let parsed = serde_json::from_str(line).map_err(|error| {
        // The parser counts the lines of one JSON text, so it is always at line 1.
        let reason = error.to_string().replace(" at line 1 column", ", at column");
        Error::options(format!("line {number} is not valid input: {reason}"))
    })?;
    match json_precision::first_inexact_number(line) {
        Some(inexact) => {
            Err(Error::options(format!("line {number}: {}", json_precision::inexact_number_message(inexact))))
        }
        None => Ok(parsed),
    }
}

/// The request of a line, signed if `signing` is given.
fn build_request(
    line: InputLine,
    base: &BaseUri,
    key_id: Option<&HeaderValue>,
    signing: Option<&mut Signing>,
) -> Result<Request<Bytes>, Error> {
    let method = Method::from_bytes(line.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| Error::options(format!("{:?} is not an HTTP method name", line.method)))?;
    let text = match (&line.template, &line.chain) {
        (Some(template), None) => chain::text([template.as_str()]),
        (None, Some(names)) => chain::text(names.iter().map(String::as_str)),
        _ => return Err(Error::options("the line needs either \"template\" or \"chain\"")),
    };
    let shown = line.template.unwrap_or_else(|| line.chain.unwrap_or_default().join("/"));
    let with_call = |error: Error| error.with_call(&method, &shown);
    let template = text.and_then(|text| request::parse_template(&text, &RESERVED)).map_err(with_call)?;
    let options = match line.options {
        Some(options) => Options::from(options),
        None => Options::new(),
    };
    let options = options.checked().map_err(with_call)?;
    let base = options.config.base_uri.as_ref().unwrap_or(base);
    let built = request::build(method.clone(), &template, &options.spec, base, &RESERVED).map_err(with_call)?;
    let UnsignedRequest { mut request, signing: input } = built;
    if let (Some(id), SigningInput::Body | SigningInput::Meta(_)) = (key_id, &input) {
        request.headers_mut().entry(SERIAL).or_insert_with(|| id.clone());
    }
    if let Some(Signing { credential, nonce, timestamp }) = signing {
        let nonce = match nonce {
            Some(nonce) => nonce.clone(),
            None => random::nonce()?,
        };
        if let SigningInput::Fields(unsigned) = input {
            let key = credential.apiv2().map_err(with_call)?;
            let mchid = line.mchid.unwrap_or_else(|| credential.mchid.clone());
            let credential = v2::Apiv2Credential { mchid, ..key.clone() };
            credential.sign(&mut request, *unsigned, &nonce).map_err(with_call)?;
            return Ok(request);
        }
        if line.mchid.as_deref().is_some_and(|mchid| !is_merchant_id(mchid)) {
            return Err(Error::options(
                "the \"mchid\" of the line contains characters other than letters and digits: give only the merchant ID",
            ));
        }
        let timestamp = timestamp.unwrap_or_else(clock::now);
        // The line's merchant replaces that of the settings for this one signature.
        let configured = line.mchid.map(|mchid| std::mem::replace(&mut credential.mchid, mchid));
        let meta = match &input {
            SigningInput::Meta(meta) => Some(meta),
            SigningInput::Body | SigningInput::Fields(_) => None,
        };
        let authorizing = credential.authorize(&mut request, meta, base, timestamp, &nonce);
        let signed = runtime::park_on(authorizing);
        if let Some(configured) = configured {
            credential.mchid = configured;
        }
        signed.map_err(with_call)?;
    } else if matches!(input, SigningInput::Fields(_)) {
        v2::strip(&mut request).map_err(with_call)?;
    }
    Ok(request)
}

fn output_line(id: Option<Value>, request: Request<Bytes>) -> OutputLine {
    let (parts, body) = request.into_parts();
    let mut headers = Map::new();
    for name in parts.headers.keys() {
        let mut values =
            parts.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let value = match (values.next(), values.next()) {
            (Some(first), Some(second)) => {
                Value::Array([first, second].into_iter().chain(values).map(Value::String).collect())
            }
            (first, _) => Value::String(first.unwrap_or_default()),
        };
        headers.insert(name.as_str().to_owned(), value);
    }
    let (body, body_base64) = match std::str::from_utf8(&body) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(&body))),
    };
    OutputLine::Request {
        id,
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        uri: parts.uri.to_string(),
        headers,
        body,
        body_base64,
    }
}
