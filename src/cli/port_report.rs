//! `wxpay port --report`: what PHP files use of the SDK.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::output;
use super::port_input::{files, read};
use crate::catalog::Catalog;
use crate::port::{self, SdkUse, UseKind};

/// What one file uses.
struct FileReport {
    name: String,
    uses: Vec<SdkUse>,
    left: usize,
    stubs: usize,
}

pub(super) fn run(given: &[PathBuf], as_json: bool) -> Result<(), Failure> {
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    for file in files(given)? {
        let (name, php) = match read(&file) {
            Ok(input) => (input.name, input.text),
            Err(failure) => {
                failed.push(failure.message);
                continue;
            }
        };
        // Most files of a project do not name the SDK.
        if !php.to_ascii_lowercase().contains("wechatpay") {
            continue;
        }
        match port::port(&php) {
            Ok(ported) if ported.uses.is_empty() => {}
            Ok(ported) => {
                let stubs = ported.left.iter().filter(|left| left.is_stub).count();
                reports.push(FileReport { name, uses: ported.uses, left: ported.left.len() - stubs, stubs });
            }
            Err(errors) => failed.push(format!("{name}: {}", errors.lines().next().unwrap_or_default())),
        }
    }
    if as_json {
        output::check(output::stdout_line(&whole_as_json(&reports, &failed).to_string()))?;
    } else {
        for line in lines(&reports) {
            output::check(output::stdout_line(&line))?;
        }
        for message in &failed {
            output::stderr_line(message);
        }
    }
    Ok(())
}

fn share(uses: &[SdkUse]) -> (usize, usize) {
    let counted = || uses.iter().filter(|one| !matches!(one.kind, UseKind::Notification(_)));
    (counted().filter(|one| one.is_carried).count(), counted().count())
}

fn lines(reports: &[FileReport]) -> Vec<String> {
    let mut out = Vec::new();
    let (mut carried, mut all) = (0, 0);
    let (mut clients, mut calls, mut notifications) = (0, 0, 0);
    for report in reports {
        let (own, of) = share(&report.uses);
        carried += own;
        all += of;
        out.push(format!(
            "{}: {own} of {of} uses carried over, {} stubs, {} pieces left",
            report.name, report.stubs, report.left
        ));
        for one in &report.uses {
            match one.kind {
                UseKind::Client { .. } => clients += 1,
                UseKind::Call { .. } => calls += 1,
                UseKind::Notification(_) => notifications += 1,
                UseKind::Function(_) => {}
            }
            let mark = if one.is_carried { "" } else { "  (left)" };
            out.push(format!("{:6}  {}{mark}", one.line, shown(&one.kind)));
        }
    }
    let percent = (carried * 100).checked_div(all).unwrap_or(100);
    out.push(format!(
        "{} files, {clients} clients, {calls} calls, {notifications} notification handlers; {carried} of {all} uses carried over ({percent} %)",
        reports.len()
    ));
    out
}

fn shown(kind: &UseKind) -> String {
    match kind {
        UseKind::Client { settings } => {
            let settings: Vec<String> = settings.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("client  {}", settings.join(", "))
        }
        UseKind::Call { verb, path, is_async, options } => {
            let link = path.as_deref().and_then(|path| documented(verb, path));
            let form = if *is_async { " async" } else { "" };
            let title = link.map(|(title, link)| format!("  {title} {link}")).unwrap_or_default();
            let path = path.as_deref().unwrap_or("(a path that only the running program knows)");
            format!("{verb} {path}{form}  {}{title}", options.join(", "))
        }
        UseKind::Function(name) => name.clone(),
        UseKind::Notification(name) => format!("notification handler {name}"),
    }
}

/// The title and the page of a documented call.
fn documented(verb: &str, path: &str) -> Option<(String, String)> {
    let call = Catalog::builtin().find(verb, path)?;
    Some((call.title().to_owned(), call.links().next().unwrap_or_default().to_owned()))
}

fn whole_as_json(reports: &[FileReport], failed: &[String]) -> Value {
    let files: Vec<Value> = reports
        .iter()
        .map(|report| {
            let (carried, uses) = share(&report.uses);
            json!({
                "file": report.name, "carried": carried, "uses": uses, "stubs": report.stubs, "left": report.left,
                "sdk": report.uses.iter().map(use_as_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    let (carried, uses) =
        reports.iter().map(|report| share(&report.uses)).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    json!({ "files": files, "carried": carried, "uses": uses, "failed": failed })
}

fn use_as_json(one: &SdkUse) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("line", one.line.into());
    put("carried", one.is_carried.into());
    match &one.kind {
        UseKind::Client { settings } => {
            put("kind", "client".into());
            let settings: Map<String, Value> =
                settings.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            put("settings", settings.into());
        }
        UseKind::Call { verb, path, is_async, options } => {
            put("kind", "call".into());
            put("method", verb.as_str().into());
            put("path", path.as_deref().map_or(Value::Null, Value::from));
            put("async", (*is_async).into());
            put("options", json!(options));
            if let Some((title, link)) = path.as_deref().and_then(|path| documented(verb, path)) {
                put("title", title.into());
                put("link", link.into());
            }
        }
        UseKind::Function(name) => {
            put("kind", "function".into());
            put("name", name.as_str().into());
        }
        UseKind::Notification(name) => {
            put("kind", "notification".into());
            put("name", name.as_str().into());
        }
    }
    object.into()
}
