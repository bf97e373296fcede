//! Reads one page of the documentation site: its headings, tables, chains and links.
//!
//! Only the parts of Markdown that the site uses are read. A line is a heading with an id, a row of
//! a table, the border of a code block, or text. Cells have marks such as
//! `{data-required data-indent=1}`, which are not part of any Markdown standard.

use super::field::{Encoding, Field, FieldType};
use super::record::is_field_name;

/// A method on a page.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The id of the heading, such as `post`.
    pub(super) method: String,
    pub(super) title: String,
    pub(super) template: Option<String>,
    pub(super) base_uri: Option<String>,
    pub(super) links: Vec<String>,
    pub(super) tables: Vec<Table>,
}

#[derive(Debug)]
pub(super) struct Table {
    /// The first cell of its header.
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

/// A row of a table, without its description.
#[derive(Debug)]
pub(super) struct Row {
    /// Its number, counted from 1.
    pub(super) line: usize,
    pub(super) indent: usize,
    pub(super) name: String,
    /// The text of the second cell; empty if the row has one cell.
    pub(super) type_name: String,
    pub(super) required: bool,
    pub(super) encoding: Result<Encoding, String>,
    pub(super) values: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) entries: Vec<Entry>,
    /// Links before the first heading with a method.
    pub(super) links: Vec<String>,
    /// The parts of the page that were skipped, each with its line number and the reason.
    pub(super) notes: Vec<(usize, String)>,
}

/// The most links of a method. The documentation has 60.
const MAX_LINKS: usize = 500;
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The first cells of the tables.
pub(super) const REQUEST: &str = "请求参数";
pub(super) const RESPONSE: &str = "返回字典";
pub(super) const FAILURE: &str = "异常字典";
pub(super) const REPLY: &str = "应答规范";
const TABLES: [&str; 4] = [REQUEST, RESPONSE, FAILURE, REPLY];

pub(super) fn read(text: &str) -> Page {
    let mut page = Page::default();
    let (mut in_front_matter, mut in_code, mut in_table) = (false, false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line == "---" && (index == 0 || in_front_matter) {
            in_front_matter = index == 0;
        } else if in_front_matter {
            if let Some(title) = line.strip_prefix("title:") {
                page.title = title.trim().trim_matches('"').to_owned();
            }
        } else if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && line.starts_with('|') {
            in_table = page.row(index + 1, line, in_table);
            continue;
        } else if !in_code && line.starts_with('#') {
            page.heading(line);
        } else {
            page.text(line, in_code);
        }
        in_table = false;
    }
    page
}

impl Page {
    fn heading(&mut self, line: &str) {
        let text = line.trim_start_matches('#').trim();
        let Some((title, id)) = text.rsplit_once("{#") else { return };
        let id = id.split(['}', ' ']).next().unwrap_or_default().to_ascii_lowercase();
        if METHODS.contains(&id.as_str()) {
            let title = title.replace("{{ $frontmatter.title }}", &self.title);
            self.entries.push(Entry { method: id, title: title.trim().to_owned(), ..Entry::default() });
        }
    }

    /// Reads a row, and returns whether a known table continues.
    fn row(&mut self, number: usize, line: &str, in_table: bool) -> bool {
        let cells = cells(line);
        let first = cells.first().map_or("", |cell| cell.text.as_str());
        if TABLES.contains(&first) {
            let Some(entry) = self.entries.last_mut() else {
                self.notes.push((number, format!("the table {first} is not below a heading with a method")));
                return false;
            };
            entry.tables.push(Table { name: first.to_owned(), rows: Vec::new() });
            return true;
        }
        let Some(entry) = self.entries.last_mut() else { return false };
        if !in_table {
            if !first.chars().all(|c| matches!(c, '-' | ':' | ' ')) {
                self.notes.push((number, format!("the table {first:?} is unknown")));
            }
            return false;
        }
        // The border below the header, and separators such as `| {colspan=3}`.
        if first.chars().all(|c| matches!(c, '-' | ':' | ' ')) {
            return true;
        }
        if let Some(table) = entry.tables.last_mut() {
            table.rows.push(row(number, &cells));
        }
        true
    }

    /// Reads the path, the base URI and the links in a line of code or text.
    fn text(&mut self, line: &str, in_code: bool) {
        if let Some(entry) = self.entries.last_mut() {
            if entry.template.is_none() {
                entry.template = between(line, "chain('", "')->").map(str::to_owned);
            }
            if entry.base_uri.is_none() {
                let after = line.split_once("'base_uri'").and_then(|(_, rest)| rest.split_once("=>"));
                entry.base_uri = after.and_then(|(_, rest)| between(rest, "'", "'")).map(str::to_owned);
            }
        }
        if in_code {
            return;
        }
        let links = self.entries.last_mut().map_or(&mut self.links, |entry| &mut entry.links);
        let starts = line.match_indices("https://pay.weixin.qq.com/").map(|(at, _)| at);
        for rest in starts.filter_map(|at| line.get(at..)) {
            let end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, ')' | '"' | '\'' | '>' | '<'))
                .unwrap_or(rest.len());
            let link = rest.get(..end).unwrap_or(rest).to_owned();
            if links.len() < MAX_LINKS && !links.contains(&link) {
                links.push(link);
            }
        }
    }
}

/// The text between two others.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map(|(inside, _)| inside)
}

/// A cell: its text, and the marks in braces behind it.
struct Cell {
    text: String,
    marks: Vec<String>,
}

impl Cell {
    fn mark(&self, name: &str) -> Option<&str> {
        self.marks.iter().find_map(|mark| {
            let (found, value) = mark.split_once('=').unwrap_or((mark, ""));
            (found == name).then_some(value.trim_matches('"'))
        })
    }
}

/// The cells of a row. A `\|` is part of a cell.
fn cells(line: &str) -> Vec<Cell> {
    const ESCAPED: &str = "\u{1}";
    let line = line.replace("\\|", ESCAPED);
    let inside = line.trim().trim_start_matches('|').trim_end_matches('|');
    // Whatever follows the third cell is part of the description.
    inside.splitn(3, '|').map(|cell| cell.trim().replace(ESCAPED, "|")).map(|cell| with_marks(&cell)).collect()
}

/// Splits the marks off a cell. Braces inside the text, as in `{out_trade_no}`, are not marks.
fn with_marks(cell: &str) -> Cell {
    let is_mark =
        |text: &str| text.starts_with(['.', '#']) || text.contains('=') || text.starts_with("data-") || text.is_empty();
    let (mut text, mut marks) = (cell, Vec::new());
    while let Some((before, inside)) = text.strip_suffix('}').and_then(|text| text.rsplit_once('{')) {
        if !inside.split_whitespace().next().is_none_or(is_mark) {
            break;
        }
        marks.extend(inside.split_whitespace().map(str::to_owned));
        text = before.trim_end();
    }
    Cell { text: text.to_owned(), marks }
}

fn row(line: usize, cells: &[Cell]) -> Row {
    let mark = |name: &str| cells.iter().find_map(|cell| cell.mark(name));
    let text = |index: usize| cells.get(index).map_or("", |cell| cell.text.as_str());
    let encoding =
        match (mark("data-encrypted"), mark("data-encoded").or_else(|| mark("data-encoded-by")), mark("data-signed")) {
            (None, None, None) => Ok(Encoding::Plain),
            (Some("by-rsa-pubkey"), None, None) => Ok(Encoding::Encrypted),
            (Some("by-aes-gcm"), None, None) => Ok(Encoding::AesGcm),
            (Some("by-aes-ecb"), None, None) => Ok(Encoding::AesEcb),
            (None, Some("by-json_encode" | "json_encode"), None) => Ok(Encoding::Json),
            (None, Some("by-urlencode"), None) => Ok(Encoding::UrlEncoded),
            (None, None, Some("by-rsa-privatekey")) => Ok(Encoding::Signed),
            marks => Err(format!("the marks {marks:?} are unknown")),
        };
    Row {
        line,
        indent: mark("data-indent").and_then(|indent| indent.parse().ok()).unwrap_or(0),
        name: text(0).to_owned(),
        type_name: text(1).to_owned(),
        required: mark("data-required").is_some(),
        encoding,
        values: listed_values(text(2)),
    }
}

/// The values before `枚举值` (value of an enumeration) in a description.
fn listed_values(description: &str) -> Vec<String> {
    let Some((before, _)) = description.rsplit_once("枚举值") else { return Vec::new() };
    let mut values = Vec::new();
    let mut rest = before.trim_end();
    while let Some((before, value)) = rest.strip_suffix('`').and_then(|rest| rest.rsplit_once('`')) {
        values.push(value.trim().to_owned());
        rest = before.trim_end().trim_end_matches('|').trim_end();
    }
    values.reverse();
    values
}

impl Row {
    /// The field, if the row is one. The error is the reason why it is not.
    pub(super) fn field(&self) -> Result<Field, String> {
        let (type_name, list) =
            self.type_name.strip_suffix("[]").map_or((self.type_name.as_str(), false), |name| (name, true));
        let field_type = match type_name {
            "float" => FieldType::Number,
            // An option such as `security`.
            "`true`" => FieldType::Boolean,
            name => FieldType::from_name(name).ok_or_else(|| format!("the type {name:?} is unknown"))?,
        };
        let name: String = self.name.split_whitespace().collect();
        if !is_field_name(&name) {
            return Err(format!("{name:?} is not the name of a field"));
        }
        if let Some(value) = self.values.iter().find(|value| value.contains(['|', '\n']) || value.is_empty()) {
            return Err(format!("the value {value:?} cannot be recorded"));
        }
        Ok(Field {
            name,
            field_type,
            list,
            required: self.required,
            encoding: self.encoding.clone()?,
            values: self.values.clone(),
            fields: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page as on the site: with descriptions, other marks, and code.
    const PAGE: &str = "\
---
title: 查询订单
description: 文字
---

# {{ $frontmatter.title }} {#get}

{{ $frontmatter.description }}

::: danger :closed_lock_with_key: {.im-privated}
:::

| 请求参数 | 类型 {.type} | 描述 {.desc}
| --- | --- | ---
| base_uri {data-required} | string | 固定值
| id {data-required} | string {data-tooltip=\"对应PHP的string\"} | 订单`id`，见 https://example.com/a
| query | object {data-required} | 声明请求的`QUERY`参数
| state {data-indent=1} | string[] {data-encoded=by-json_encode} | 状态`X`<br/>`A` \\| `B C` \\|`D` 枚举值之一
| card {data-indent=1} | string{data-encrypted=by-rsa-pubkey} | 有 | 竖线

{.im-table #request}

```php [异步纯链式]
$instance->v3->orders->_id_->getAsync([ 'url' => 'https://pay.weixin.qq.com/not-a-link' ]);
```

```php [异步声明式]
$instance->chain('v3/orders/{id}')->getAsync([
  'base_uri' => 'https://apihk.mch.weixin.qq.com/',
]);
```

| 返回字典 | 类型 {.type} | 描述 {.desc}
| --- | --- | ---
| 空字符串(无返回内容) {align=center colspan=3}

参阅 [官方文档](https://pay.weixin.qq.com/doc/v3/merchant/1) [官方文档](https://pay.weixin.qq.com/doc/v3/partner/2 \"title\")
";

    #[test]
    fn a_page_with_descriptions_and_code_is_read() {
        let page = read(PAGE);
        assert_eq!(page.notes, []);
        let [entry] = &page.entries[..] else { panic!("one entry") };
        assert_eq!((entry.method.as_str(), entry.title.as_str()), ("get", "查询订单"));
        assert_eq!(entry.template.as_deref(), Some("v3/orders/{id}"));
        assert_eq!(entry.base_uri.as_deref(), Some("https://apihk.mch.weixin.qq.com/"));
        assert_eq!(
            entry.links,
            ["https://pay.weixin.qq.com/doc/v3/merchant/1", "https://pay.weixin.qq.com/doc/v3/partner/2"]
        );
        let rows: Vec<_> = entry.tables[0]
            .rows
            .iter()
            .map(|row| {
                (
                    row.indent,
                    row.name.as_str(),
                    row.type_name.as_str(),
                    row.required,
                    row.encoding.clone().expect("marks"),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                (0, "base_uri", "string", true, Encoding::Plain),
                (0, "id", "string", true, Encoding::Plain),
                (0, "query", "object", true, Encoding::Plain),
                (1, "state", "string[]", false, Encoding::Json),
                (1, "card", "string", false, Encoding::Encrypted),
            ]
        );
        assert_eq!(entry.tables[0].rows[3].values, ["A", "B C", "D"]);
        assert_eq!(entry.tables[1].rows[0].name, "空字符串(无返回内容)");
    }

    #[test]
    fn values_are_read_from_descriptions() {
        for (description, values) in [
            ("`A` \\| `B` 枚举值之一", vec!["A", "B"]),
            ("`20X` `4XX` `5XX` 枚举值之一", vec!["20X", "4XX", "5XX"]),
            ("`code`<br/>`code` 枚举值", vec!["code"]),
            ("见`其他`", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(listed_values(&description.replace("\\|", "|")), values, "{description}");
        }
    }
}
