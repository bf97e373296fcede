//! `wxpay api`: looks up documented calls.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::args::{Api, ApiCommand, ConfigArgs};
use super::failure::Failure;
use super::{output, settings, translate};
use crate::catalog::{Call, Catalog, Encoding, Field, Place, import};

pub(super) fn run(config: &ConfigArgs, api: &Api) -> Result<(), Failure> {
    if let ApiCommand::Import { folder, output } = &api.command {
        return import_pages(folder, output);
    }
    let loaded = settings::catalog(config)?;
    let catalog = loaded.as_ref().unwrap_or_else(|| Catalog::builtin());
    match &api.command {
        ApiCommand::List { json } => list(catalog, *json),
        ApiCommand::Import { .. } => Ok(()),
    }
}

fn list(catalog: &Catalog, as_json: bool) -> Result<(), Failure> {
    output::generated(|out| {
        for call in catalog.calls() {
            if as_json {
                writeln!(out, "{}", call_as_json(call))?;
            } else {
                let template = call.template().unwrap_or("-");
                writeln!(out, "{:6} {template} {}", call.method().as_str(), call.title())?;
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
