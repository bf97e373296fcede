//! `wxpay api show`: the fields of a call as a table.

use super::{output, translate};
use crate::catalog::{Call, Encoding, Field};

/// The columns of a field: its name with the indentation of its level, its type, its marks, and its
/// listed values.
struct Line {
    name: String,
    type_name: String,
    marks: String,
    values: String,
}

/// The table of a call, in the language of the locale.
pub(super) fn table(call: &Call) -> String {
    let mut out = format!("{} {} {}\n", call.method(), call.template().unwrap_or("-"), call.title());
    let mut line = |name: &str, value: &str| out.push_str(&format!("{}: {value}\n", translate::message(name)));
    if let Some(base_uri) = call.base_uri() {
        line("base URI", base_uri);
    }
    if !call.options().is_empty() {
        line("options", &call.options().join(", "));
    }
    for section in call.request() {
        let required = if section.required { " *" } else { "" };
        out.push_str(&format!("\n{} {}{required}\n", translate::message("request,"), section.place.as_str()));
        write(&section.fields, &mut out);
    }
    out.push_str(&format!("\n{} {}\n", translate::message("response,"), call.response_kind().as_str()));
    write(call.response(), &mut out);
    out.push('\n');
    call.links().for_each(|link| out.push_str(&format!("{link}\n")));
    out.push_str(&format!("{}\n", translate::message("* means required, as far as the documentation states it")));
    out
}

fn write(fields: &[Field], out: &mut String) {
    let mut lines = Vec::new();
    collect(fields, 1, &mut lines);
    let width = |column: fn(&Line) -> &str| lines.iter().map(|line| column(line).len()).max().unwrap_or_default();
    let (names, types, marks) = (width(|line| &line.name), width(|line| &line.type_name), width(|line| &line.marks));
    for line in &lines {
        let columns = [
            output::padded(&line.name, names),
            output::padded(&line.type_name, types),
            output::padded(&line.marks, marks),
            line.values.clone(),
        ];
        out.push_str(columns.join("  ").trim_end());
        out.push('\n');
    }
}

fn collect(fields: &[Field], depth: usize, lines: &mut Vec<Line>) {
    for field in fields {
        let list = if field.list { "[]" } else { "" };
        let required = if field.required { " *" } else { "" };
        let marks = match field.encoding {
            Encoding::Plain => "",
            other => other.as_str(),
        };
        lines.push(Line {
            name: format!("{:indent$}{}{required}", "", field.name, indent = 2 * depth),
            type_name: format!("{}{list}", field.field_type.as_str()),
            marks: marks.to_owned(),
            values: field.values.join(" | "),
        });
        collect(&field.fields, depth + 1, lines);
    }
}
