//! `wxpay req`: a call from the shell.

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

use super::args::{Req, SettingsFile};
use super::{Failure, numbers, output, settings};
use crate::client::Client;
use crate::client::chain::Chain;
use crate::client::promise::Promise;
use crate::error::Error;
use crate::options::Options;
use crate::options::media::Media;
use crate::pipeline::response::Response;

pub(super) fn run(from: &SettingsFile, req: &Req) -> Result<(), Failure> {
    let options = options(req)?;
    let client = settings::builder(from)?.build()?;
    let has_body = req.json.is_some() || req.xml.is_some() || req.upload.is_some();
    let method = req.method.as_deref().unwrap_or(if has_body { "POST" } else { "GET" });
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| Failure::usage(format!("{method:?} is no name of an HTTP method")))?;
    let chain = chain(&client, &req.path);
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
    let outcome = if req.sink.is_some() { unless_stopped(call) } else { Ok(call.wait()) };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    match outcome? {
        Ok(response) => match &req.sink {
            Some(path) => {
                let size = std::fs::metadata(path).map_or(0, |file| file.len());
                output::note(&format!("{size} bytes in {}", path.display()));
                Ok(())
            }
            None => {
                if !response.is_verified() {
                    output::note("the service does not sign this answer");
                }
                print(response.body())
            }
        },
        Err(error) => {
            // What the service said is an answer too, for whoever pipes it on.
            if let Some(response) = error.response().filter(|_| error.is_response()) {
                print(response.body())?;
            }
            Err(error.into())
        }
    }
}

/// Waits for a call that writes a file. Who stops it leaves no part of the file behind: that goes with the call.
///
/// Only here, since a process that has taken a signal over no longer ends by it on its own.
fn unless_stopped(call: Promise<Response>) -> Result<Result<Response, Error>, Failure> {
    let failed =
        |error: std::io::Error| Failure::local(format!("the thread for network traffic cannot be started: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let outcome = runtime.block_on(async {
        let (mut call, mut stopped) = (pin!(call), pin!(stopped()));
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending => stopped.as_mut().poll(context).map(Err),
        })
        .await
    });
    // A disk that hangs need not be waited for.
    runtime.shutdown_background();
    outcome.map_err(|signal| Failure {
        code: 128 + signal,
        said: "stopped; nothing is left of the file, and the request may have arrived".to_owned(),
    })
}

/// The number of the signal that ends this process: SIGINT, as by Ctrl-C, or SIGTERM.
#[cfg(unix)]
async fn stopped() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Then they end it as ever.
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

/// The number that Ctrl-C has elsewhere.
#[cfg(not(unix))]
async fn stopped() -> u8 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => 2,
        Err(_) => std::future::pending().await,
    }
}

fn print(body: &[u8]) -> Result<(), Failure> {
    output::printed(output::body(body))
}

/// `v3/x/{y}` is a path, `v3.x._y_` a chain.
fn chain(client: &Client, path: &str) -> Chain {
    if path.contains('/') || !path.contains('.') {
        return client.chain(path);
    }
    let mut names = path.split('.');
    let first = client.seg(names.next().unwrap_or_default());
    names.fold(first, |chain, name| chain.seg(name))
}

fn options(req: &Req) -> Result<Options, Failure> {
    let mut map = Map::new();
    for pair in &req.var {
        let (name, value) = split(pair, "--var", '=')?;
        map.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    if let Some(reserved) = map.keys().find(|name| crate::options::is_reserved(name)) {
        return Err(Failure::usage(format!(
            "--var {reserved:?} has the name of a request option and is no variable of a path"
        )));
    }
    let mut query = Map::new();
    for pair in &req.query {
        let (name, value) = split(pair, "--query", '=')?;
        repeat(&mut query, name, value);
    }
    if !query.is_empty() {
        map.insert("query".to_owned(), Value::Object(query));
    }
    let mut headers = Map::new();
    for pair in &req.header {
        let (name, value) = split(pair, "--header", ':')?;
        repeat(&mut headers, name, value.trim());
    }
    if !headers.is_empty() {
        map.insert("headers".to_owned(), Value::Object(headers));
    }
    let body = req.json.as_ref().map(|text| text_of("--json", text)).transpose()?;
    if let Some(path) = &req.sink {
        let path = path.to_str().ok_or_else(|| Failure::usage("--sink is no UTF-8"))?;
        map.insert("sink".to_owned(), path.into());
    }
    if let Some(seconds) = req.timeout {
        map.insert("timeout".to_owned(), seconds.into());
    }
    if req.debug {
        map.insert("debug".to_owned(), true.into());
    }
    if let Some(fields) = &req.xml {
        map.insert("xml".to_owned(), json("--xml", fields)?);
    }
    if req.security {
        map.insert("security".to_owned(), true.into());
    }
    let mut options = Options::from(Value::Object(map));
    if let Some(body) = body {
        // As it was typed: reading and writing it would round numbers and drop what stands twice.
        if !options.headers.contains_key(CONTENT_TYPE) {
            options.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        options = options.body(body);
    }
    let Some(path) = &req.upload else { return Ok(options) };
    let media = Media::from_path(path)?;
    Ok(options.media(match &req.meta {
        Some(meta) => media.meta(json("--meta", meta)?),
        None => media,
    }))
}

fn split<'a>(pair: &'a str, argument: &str, by: char) -> Result<(&'a str, &'a str), Failure> {
    pair.split_once(by)
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::usage(format!("{argument} {pair:?} is no NAME{by}VALUE")))
}

/// A name given twice becomes a list.
fn repeat(map: &mut Map<String, Value>, name: &str, value: &str) {
    match map.get_mut(name) {
        None => {
            map.insert(name.to_owned(), value.into());
        }
        Some(Value::Array(values)) => values.push(value.into()),
        Some(one) => *one = Value::Array(vec![one.take(), value.into()]),
    }
}

/// JSON as text, `@FILE`, or `-` for standard input; the text, once it is known to be JSON.
fn text_of(argument: &str, text: &str) -> Result<String, Failure> {
    let (from, text) = if text == "-" {
        let mut all = String::new();
        std::io::stdin()
            .read_to_string(&mut all)
            .map_err(|error| Failure::local(format!("standard input: {error}")))?;
        ("standard input".to_owned(), all)
    } else if let Some(path) = text.strip_prefix('@') {
        let read = std::fs::read_to_string(Path::new(path))
            .map_err(|error| Failure::usage(format!("the file {path:?} cannot be read: {error}")))?;
        (format!("the file {path:?}"), read)
    } else {
        (argument.to_owned(), text.to_owned())
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(error) => Err(Failure::usage(format!("{from} is no JSON: {error}"))),
    }
}

fn json(argument: &str, text: &str) -> Result<Value, Failure> {
    let text = text_of(argument, text)?;
    if let Some(number) = numbers::lost(&text) {
        return Err(Failure::usage(format!("{argument}: {}", numbers::said(number))));
    }
    serde_json::from_str(&text).map_err(|error| Failure::usage(format!("{argument} is no JSON: {error}")))
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
