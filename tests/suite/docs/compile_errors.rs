//! The table of compile errors in the manual: rustc reports each message for its code, and accepts
//! what the table says to write.

use std::path::Path;

use super::{read, root};
use crate::port::rustc::{Compiler, folder};

/// The libraries that the programs use.
const CRATES: [&str; 2] = ["wechatpay_chain", "serde_json"];

/// A row of the table: the message, the code that causes it, and what to write.
#[derive(Debug, PartialEq)]
struct Row {
    message: String,
    wrong: String,
    right: Vec<String>,
}

/// The rows of the table under the last heading of a page.
fn rows(page: &str) -> Vec<Row> {
    let text = read(&root().join(page));
    let table = text.split("\n## ").last().expect("a heading");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [message, wrong, right] = cells[..] else { panic!("{page}: {row}") };
        let [message, wrong] = [message, wrong].map(|cell| code(cell).concat());
        Row { message, wrong, right: code(right).into_iter().filter(|code| code.ends_with(';')).collect() }
    })
    .collect()
}

/// A program with a function that contains the code. The code refers to the function's arguments.
fn compile(folder: &Path, name: usize, codes: &[&str]) -> Option<String> {
    let functions = codes.iter().enumerate().map(|(index, code)| {
        format!(
            "async fn f{index}(client: Client, chain: Chain, response: Response, download: Download, mut pages: Pages, \
             id: String, path: &str) -> Result<(), Error> {{ {code} Ok(()) }}\n"
        )
    });
    let source = folder.join(format!("{name}.rs"));
    let uses = "#![allow(unused)]\nuse serde_json::{Value, json};\nuse std::time::Duration;\nuse wechatpay_chain::*;\n";
    std::fs::write(&source, format!("{uses}{}fn main() {{}}\n", functions.collect::<String>())).expect("written");
    let (output, _) = Compiler::get().rustc(&source, &CRATES);
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).replace('`', ""))
}

#[test]
fn rustc_reports_each_error_of_the_table() {
    let rows = self::rows("docs/manual/calls.md");
    assert!(rows.len() > 10, "{rows:?}");
    assert_eq!(self::rows("docs/manual/calls.zh-CN.md"), rows);
    let folder = folder("compile-errors");
    for (index, row) in rows.iter().enumerate() {
        let message = compile(&folder, index, &[&row.wrong]).unwrap_or_else(|| panic!("{row:?} compiles"));
        assert!(message.contains(&row.message), "{row:?}\n{message}");
        assert!(!row.right.is_empty(), "{row:?}");
    }
    let right: Vec<&str> = rows.iter().flat_map(|row| &row.right).map(String::as_str).collect();
    let message = compile(&folder, rows.len(), &right).unwrap_or_default();
    assert_eq!(message, "");
}
