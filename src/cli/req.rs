//! `wxpay req`: makes one call and prints its response.

use std::future::{Future, poll_fn};
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};

use super::args::{ConfigArgs, Req};
use super::failure::Failure;
use super::settings::{self, Settings};
use super::{captured, json_precision, output};
use crate::catalog::{Catalog, Finding, FindingKind};
use crate::client::Client;
use crate::client::chain::Chain;
use crate::error::{Error, ErrorKind};
use crate::options::Options;
use crate::options::media::Media;
use crate::pipeline::response::Response;
use crate::pipeline::send::Promise;
use crate::proto::strict_json;

pub(super) fn run(config: &ConfigArgs, req: &Req) -> Result<(), Failure> {
    let (options, as_json) = options(req)?;
    let client = settings::client_builder(config, Settings::default())?.build()?;
    let method = method(req)?;
    let chain = chain(&client, &req.path);
    if !req.no_check {
        let catalog = settings::catalog(config)?;
        let catalog = catalog.as_ref().unwrap_or_else(|| Catalog::builtin());
        check(&catalog.check_options(&method, &req.path, &as_json, client.inner.adds_serial()))?;
    }
    let bar = req.sink.as_ref().filter(|_| std::io::stderr().is_terminal()).map(|_| progress_bar());
    let options = match bar.clone() {
        Some(bar) => options.progress(move |received, total| {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(received);
        }),
        None => options,
    };
    let call = chain.send(method, options);
    let outcome = if req.sink.is_some() { wait_or_stop(call) } else { Ok(call.wait()) };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    match outcome? {
        Ok(response) => match &req.sink {
            Some(path) => {
                let size = std::fs::metadata(path).map_or(0, |file| file.len());
                output::note(&format!("{size} bytes written to {}", path.display()));
                Ok(())
            }
            None => {
                if !response.is_verified() {
                    output::note("WeChat Pay does not sign this response, so it is not verified");
                }
                print(req, &response)
            }
        },
        Err(error) => {
            // The body of an error response is printed too, for the next program of a pipeline.
            let is_printed = is_rejection(error.kind()) || req.include && error.kind() == ErrorKind::Verification;
            if let Some(response) = error.response().filter(|_| is_printed) {
                print(req, response)?;
            }
            Err(error.into())
        }
    }
}

fn print(req: &Req, response: &Response) -> Result<(), Failure> {
    output::check(match req.include {
        true => output::message(response.status(), response.headers(), response.body()),
        false => output::body(response.body()),
    })
}

/// Prints the findings for a call. Fails if one of them is a mistake.
fn check(findings: &[Finding]) -> Result<(), Failure> {
    for finding in findings {
        // Any call can be made, but a similar path is probably a typing error.
        if finding.kind() != FindingKind::UndocumentedCall || finding.suggestion().is_some() {
            output::note(&finding.to_string());
        }
    }
    // A field that the tables mark as required is often one of several alternatives.
    let is_mistake =
        |finding: &Finding| !matches!(finding.kind(), FindingKind::UndocumentedCall | FindingKind::MissingField);
    if findings.iter().any(is_mistake) {
        return Err(Failure::usage("the call differs from its documentation and was not sent; --no-check sends it"));
    }
    Ok(())
}

/// Whether the body of the response explains the error.
fn is_rejection(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ClientError | ErrorKind::ServerError | ErrorKind::Redirect | ErrorKind::Fail)
}

/// Waits for a call that writes a file. If a signal stops it, the call is dropped, which removes
/// the partial file.
///
/// Only such calls handle signals: any other is ended by the signal's default action.
fn wait_or_stop(call: Promise<Response>) -> Result<Result<Response, Error>, Failure> {
    let failed =
        |error: std::io::Error| Failure::local_io(format!("the runtime of the call cannot be started: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let outcome = runtime.block_on(async {
        let (mut call, mut signal) = (pin!(call), pin!(stop_signal()));
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending => signal.as_mut().poll(context).map(Err),
        })
        .await
    });
    // Does not wait for a blocked write to the disk.
    runtime.shutdown_background();
    outcome.map_err(|signal| Failure {
        code: 128 + signal,
        message: "stopped; the partial file was removed, and the request may have arrived".to_owned(),
    })
}

/// Waits for SIGINT (Ctrl-C) or SIGTERM, and returns its number.
#[cfg(unix)]
async fn stop_signal() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers, the signals end the process.
        return std::future::pending().await;
    };
    poll_fn(|context| {
        if interrupt.poll_recv(context).is_ready() {
            return Poll::Ready(2);
        }
        terminate.poll_recv(context).map(|_| 15)
    })
    .await
}

/// Waits for Ctrl-C, and returns the number of SIGINT.
#[cfg(not(unix))]
async fn stop_signal() -> u8 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => 2,
        Err(_) => std::future::pending().await,
    }
}

/// The given method, or the one that follows from the arguments.
fn method(req: &Req) -> Result<Method, Failure> {
    let has_body =
        req.json.is_some() || req.xml.is_some() || req.upload.is_some() || req.body.is_some() || !req.form.is_empty();
    let name = req.method.as_deref().unwrap_or(if has_body { "POST" } else { "GET" });
    Method::from_bytes(name.to_ascii_uppercase().as_bytes())
        .map_err(|_| Failure::usage(format!("{name:?} is not an HTTP method name")))
}

/// `v3/x/{y}` is a path, `v3.x._y_` a chain.
fn chain(client: &Client, path: &str) -> Chain {
    if path.contains('/') || !path.contains('.') {
        return client.chain(path);
    }
    path.split('.').fold(Chain::root(&client.inner), |chain, segment| chain.name(segment))
}

/// The options of the call that the arguments give, and the same as JSON, as far as it can
/// represent them.
fn options(req: &Req) -> Result<(Options, Value), Failure> {
    let mut as_json = json_options(req)?;
    let mut options = Options::from(as_json.clone());
    if let Some(argument) = req.json.as_ref().filter(|_| !req.encrypt) {
        // The text is sent unchanged: parsing and serialising it would round numbers and drop
        // repeated keys.
        let body = read_json("--json", argument)?;
        if !options.spec.headers.contains_key(CONTENT_TYPE) {
            options.spec.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        as_json.insert("json".to_owned(), serde_json::from_str(&body).unwrap_or_default());
        options = options.body(body);
    }
    if let Some(path) = &req.body {
        options = options.body(captured::read(path)?);
        as_json.insert("body".to_owned(), "".into());
    }
    if let Some(path) = &req.upload {
        let media = Media::from_path(path)?;
        options = options.media(match &req.meta {
            Some(meta) => media.meta(parse_json("--meta", meta)?),
            None => media,
        });
        as_json.insert("body".to_owned(), "".into());
    }
    Ok((options, as_json.into()))
}

/// The options that have a JSON form.
fn json_options(req: &Req) -> Result<Map<String, Value>, Failure> {
    let mut map = Map::new();
    for argument in &req.var {
        let (name, value) = split_pair("--var", argument, '=')?;
        map.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    if let Some(reserved) = map.keys().find(|name| crate::options::is_reserved(name)) {
        return Err(Failure::usage(format!(
            "--var {reserved:?} has the name of a request option and cannot be a path variable"
        )));
    }
    let mut query = Map::new();
    for argument in &req.query {
        let (name, value) = split_pair("--query", argument, '=')?;
        insert_or_append(&mut query, name, value);
    }
    if !query.is_empty() {
        map.insert("query".to_owned(), Value::Object(query));
    }
    let mut headers = Map::new();
    for argument in &req.header {
        let (name, value) = split_pair("--header", argument, ':')?;
        insert_or_append(&mut headers, name, value.trim());
    }
    if !headers.is_empty() {
        map.insert("headers".to_owned(), Value::Object(headers));
    }
    if let Some(path) = &req.sink {
        let path = path.to_str().ok_or_else(|| Failure::usage("--sink is not valid UTF-8"))?;
        map.insert("sink".to_owned(), path.into());
    }
    if let Some(seconds) = req.timeout {
        map.insert("timeout".to_owned(), seconds.into());
    }
    if req.debug {
        map.insert("debug".to_owned(), true.into());
    }
    if let Some(times) = req.retry {
        map.insert("retry".to_owned(), times.into());
    }
    if let Some(body) = req.json.as_ref().filter(|_| req.encrypt) {
        map.insert("json".to_owned(), parse_json("--json", body)?);
        map.insert("encrypt".to_owned(), true.into());
    }
    let mut form = Map::new();
    for argument in &req.form {
        let (name, value) = split_pair("--form", argument, '=')?;
        insert_or_append(&mut form, name, value);
    }
    if !form.is_empty() {
        map.insert("form_params".to_owned(), Value::Object(form));
    }
    if let Some(fields) = &req.xml {
        map.insert("xml".to_owned(), parse_json("--xml", fields)?);
    }
    if req.security {
        map.insert("security".to_owned(), true.into());
    }
    Ok(map)
}

fn split_pair<'a>(argument: &str, pair: &'a str, separator: char) -> Result<(&'a str, &'a str), Failure> {
    pair.split_once(separator)
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::usage(format!("{argument} {pair:?} does not have the form NAME{separator}VALUE")))
}

/// Adds a value; a repeated name gets a list of its values.
fn insert_or_append(map: &mut Map<String, Value>, name: &str, value: &str) {
    match map.get_mut(name) {
        None => {
            map.insert(name.to_owned(), value.into());
        }
        Some(Value::Array(values)) => values.push(value.into()),
        Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
    }
}

/// The JSON text that an argument gives: itself, `@FILE`, or `-` for standard input. Fails if the
/// text is not valid JSON.
fn read_json(argument: &str, value: &str) -> Result<String, Failure> {
    let (source, text) = if value == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::local_io(format!("standard input: {error}")))?;
        ("standard input".to_owned(), text)
    } else if let Some(path) = value.strip_prefix('@') {
        let text = std::fs::read_to_string(Path::new(path))
            .map_err(|error| Failure::usage(format!("the file {path:?} cannot be read: {error}")))?;
        (format!("the file {path:?}"), text)
    } else {
        (argument.to_owned(), value.to_owned())
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(error) => Err(Failure::usage(format!("{source} is not valid JSON: {error}"))),
    }
}

/// Likewise, parsed. Fails if parsing would change a number.
fn parse_json(argument: &str, value: &str) -> Result<Value, Failure> {
    let text = read_json(argument, value)?;
    // Parsing keeps only the last value of a repeated key.
    strict_json::check(text.as_bytes()).map_err(|reason| Failure::usage(format!("{argument}: {reason}")))?;
    if let Some(number) = json_precision::first_inexact_number(&text) {
        return Err(Failure::usage(format!("{argument}: {}", json_precision::inexact_number_message(number))));
    }
    serde_json::from_str(&text).map_err(|error| Failure::usage(format!("{argument} is not valid JSON: {error}")))
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{bytes} {wide_bar} {total_bytes} {bytes_per_sec} {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
