//! `wxpay api`: looks up documented calls.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value, json};

use super::args::{Api, ApiCall, ApiCommand, ConfigArgs};
use super::failure::Failure;
use super::{api_example, api_show, api_types, output, settings, translate};
use crate::catalog::{Call, Catalog, Encoding, Field, Place, import};

/// The methods of the documented calls.
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

pub(super) fn run(config: &ConfigArgs, api: &Api) -> Result<(), Failure> {
    if let ApiCommand::Import { folder, output } = &api.command {
        return import_pages(folder, output);
    }
    let loaded = settings::catalog(config)?;
    let catalog = loaded.as_ref().unwrap_or_else(|| Catalog::builtin());
    match &api.command {
        ApiCommand::List { json } => list(catalog, *json),
        ApiCommand::Search { words, limit } => search(catalog, &words.join(" "), *limit),
        ApiCommand::Show(call) => print(&api_show::table(find(catalog, call)?)),
        ApiCommand::Example { call, lang, all } => {
            let call = find(catalog, call)?;
            if !all && call.example(false) != call.example(true) {
                output::note(
                    "optional fields are not shown: --all shows them; where one of several fields is required, \
                     the documentation lists each of them as optional",
                );
            }
            print(&api_example::example(call, *lang, *all))
        }
        ApiCommand::Types(call) => print(&api_types::types(find(catalog, call)?)),
        ApiCommand::Import { .. } => Ok(()),
    }
}

/// Adds the possible values of arguments to the command line, for completions: methods, documented
/// paths, days, events and faults. Other values are accepted, too.
pub(super) fn with_names(command: clap::Command) -> clap::Command {
    fn complete(command: clap::Command, argument: &'static str, names: &[&'static str]) -> clap::Command {
        let names = names.to_vec();
        command.mut_arg(argument, |argument| argument.value_parser(PossibleValuesParser::new(names)))
    }
    let mut paths: Vec<&'static str> = Catalog::builtin().calls().filter_map(Call::template).collect();
    paths.dedup();
    let call = |command| complete(complete(command, "path", &paths), "method", METHODS);
    let api = |api: clap::Command| {
        ["show", "example", "types"].into_iter().fold(api, |api, name| api.mut_subcommand(name, call))
    };
    let command = command
        .mut_subcommand("req", call)
        .mut_subcommand("api", api)
        .mut_subcommand("bill", |bill| complete(bill, "date", &["yesterday", "today"]))
        .mut_subcommand("sign", |sign| sign.mut_subcommand("request", |request| complete(request, "method", METHODS)));
    #[cfg(feature = "sandbox")]
    let command = command.mut_subcommand("sandbox", |sandbox| {
        let notifications = Catalog::builtin().notifications();
        let events: Vec<&'static str> = notifications.flat_map(crate::sandbox::trigger::names).collect();
        // Completes the name of a fault without its value: `delay:` and `missing-header`.
        let faults: Vec<&'static str> = crate::sandbox::FAULT_NAMES
            .split(", ")
            .map(|name| name.split_once('[').map_or(name, |(name, _)| name).trim_end_matches("MILLISECONDS"))
            .collect();
        sandbox
            .mut_subcommand("trigger", |trigger| complete(trigger, "event", &events))
            .mut_subcommand("fault", |fault| complete(fault, "fault", &faults))
            .mut_subcommand("card", |card| {
                complete(card, "event", &["ACCEPT_CARD", "ACTIVATE_CARD", "USERCARD_MANAGE"])
            })
    });
    command
}

fn print(text: &str) -> Result<(), Failure> {
    output::generated(|out| out.write_all(text.as_bytes()))
}

/// The call that the arguments name.
fn find<'a>(catalog: &'a Catalog, call: &ApiCall) -> Result<&'a Call, Failure> {
    catalog.find(&call.method, &call.path).ok_or_else(|| {
        let findings = catalog.check(&call.method, &call.path, &Value::Null);
        Failure::usage(findings.iter().map(|finding| finding.message()).collect::<Vec<_>>().join("; "))
    })
}

fn search(catalog: &Catalog, words: &str, limit: usize) -> Result<(), Failure> {
    let found = catalog.search(words);
    if found.is_empty() {
        return Err(Failure { code: 1, message: format!("no call matches {words:?}") });
    }
    output::generated(|out| found.into_iter().take(limit).try_for_each(|call| write_line(call, out)))
}

fn write_line(call: &Call, out: &mut Vec<u8>) -> io::Result<()> {
    writeln!(out, "{:6} {} {}", call.method().as_str(), call.template().unwrap_or("-"), call.title())
}

fn list(catalog: &Catalog, as_json: bool) -> Result<(), Failure> {
    output::generated(|out| {
        for call in catalog.calls() {
            if as_json {
                writeln!(out, "{}", call_as_json(call))?;
            } else {
                write_line(call, out)?;
            }
        }
        Ok(())
    })
}

/// A call as one JSON object.
fn call_as_json(call: &Call) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("method", call.method().as_str().into());
    if let Some(template) = call.template() {
        put("template", template.into());
    }
    put("title", call.title().into());
    if let Some(base_uri) = call.base_uri() {
        put("host", base_uri.into());
    }
    let mut request = Vec::new();
    for section in call.request() {
        fields_as_json(&section.fields, "", Some(section.place), &mut request);
    }
    put("request", request.into());
    if call.needs_certificate() {
        put("certificate", true.into());
    }
    put("answer", call.response_kind().as_str().into());
    let mut response = Vec::new();
    fields_as_json(call.response(), "", None, &mut response);
    put("response", response.into());
    put("links", call.links().collect());
    object.into()
}

/// The fields as a flat list. A path has `[]` behind each list above the field.
fn fields_as_json(fields: &[Field], prefix: &str, place: Option<Place>, out: &mut Vec<Value>) {
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        let list = if field.list { "[]" } else { "" };
        let mut object = Map::new();
        object.insert("path".to_owned(), path.as_str().into());
        object.insert("type".to_owned(), format!("{}{list}", field.field_type.as_str()).into());
        if field.required {
            object.insert("required".to_owned(), true.into());
        }
        if !field.values.is_empty() {
            object.insert("enum".to_owned(), json!(field.values));
        }
        match field.encoding {
            Encoding::Plain => {}
            Encoding::Json => drop(object.insert("json_text".to_owned(), true.into())),
            other => drop(object.insert(other.as_str().to_owned(), true.into())),
        }
        if let Some(place) = place {
            object.insert("in".to_owned(), place.as_str().into());
        }
        out.push(object.into());
        fields_as_json(&field.fields, &format!("{path}{list}."), place, out);
    }
}

fn import_pages(folder: &Path, output: &Path) -> Result<(), Failure> {
    let mut pages = Vec::new();
    for part in ["openapi", "webhook"] {
        read_pages(&folder.join(part), part, &mut pages)?;
    }
    pages.sort();
    let import = import::import(pages.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    import.notes.iter().for_each(|note| output::stderr_line(&translate::message(note)));
    if import.calls == 0 {
        return Err(Failure::usage(format!("{} has no documented calls", folder.display())));
    }
    let failed = |error: io::Error| Failure::local_io(format!("the file {}: {error}", output.display()));
    fs::write(output, &import.text).map_err(failed)?;
    output::note(&format!(
        "{} calls and {} notifications written to {}",
        import.calls,
        import.notifications,
        output.display()
    ));
    Ok(())
}

/// Reads the Markdown files in a folder and below it. Their names use `/` on every system.
fn read_pages(folder: &Path, name: &str, pages: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let failed = |path: &Path, error: io::Error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let entry = entry.map_err(|error| failed(folder, error))?;
        let path: PathBuf = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        // Symbolic links are not followed, because they can lead in a circle.
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        if kind.is_dir() {
            read_pages(&path, &name, pages)?;
        } else if kind.is_file() && name.ends_with(".md") {
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            pages.push((name, text));
        }
    }
    Ok(())
}
