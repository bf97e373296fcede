//! `wxpay api` with hostile catalogues and pages: generated code, and the import.

use std::fs;
use std::process::Command;

use wechatpay_chain::catalog::Catalog;

use super::{run_with_input, text, wxpay};
use crate::port::rustc::{Compiler, folder};

/// Runs `wxpay api` with a catalogue that has these records.
fn api(records: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("catalog.txt");
    fs::write(&file, format!("# wechatpay-chain catalogue, format 1\n\n{records}")).expect("written");
    let mut command = wxpay(&[&["api"], arguments].concat());
    command.env("WXPAY_CATALOG", &file);
    let output = run_with_input(command, "");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout)
}

#[test]
fn types_for_odd_names_compile() {
    let names = [
        "_", "-", "--", "1", "1a", "self", "Self", "crate", "super", "type", "priv", "typeof", "unsized", "yield",
        "a-b", "a_b", "aB", "a_b_", "numbered", "N1", "x_$n",
    ];
    let fields: String = names.iter().map(|name| format!("  {name} object\n   {name} string!\n")).collect();
    let record = format!("POST v3/x T\n json\n{fields} response json\n{fields}");
    let types = api(&record, &["types", "POST", "v3/x"]);
    assert_eq!(types.matches("serde(rename = \"a-b\")").count(), 4, "{types}");
    let folder = folder("odd-names");
    let file = folder.join("types.rs");
    fs::write(&file, format!("#![allow(dead_code)]\n{types}\nfn main() {{}}\n")).expect("written");
    Compiler::get().compile(&file, &["serde", "serde_json"]);
}

#[test]
fn an_example_with_many_fields_names_the_recursion_limit() {
    let path = "v3/gov/subsidy/audit/cup/upload";
    let arguments = ["api", "example", "POST", path, "--all", "--lang", "rust"];
    let output = run_with_input(wxpay(&arguments), "");
    let code = text(&output.stdout);
    let attribute = "#![recursion_limit = \"512\"]";
    assert!(code.starts_with(&format!("// json! needs {attribute} at the top of the crate")), "{code}");
    // Without the attribute, the code does not compile.
    let json = code.split_once(".post(").expect("a call").1.trim_end().trim_end_matches(")?;");
    let folder = folder("recursion");
    let file = folder.join("example.rs");
    fs::write(&file, format!("{attribute}\nuse serde_json::json;\nfn main() {{ let _ = {json}; }}\n"))
        .expect("written");
    Compiler::get().compile(&file, &["serde_json"]);
    let short = text(&run_with_input(wxpay(&["api", "example", "GET", "v3/certificates", "-l", "rust"]), "").stdout);
    assert!(short.starts_with("let response"), "{short}");
}

/// The values of a catalogue reach the command unchanged in each shell, and are not run.
#[test]
fn values_in_an_example_for_curl_are_not_run_by_the_shell() {
    let value = r#"a'b"c\n\\ $(id) `id` %s"#;
    let record = format!("POST v3/x T\n json!\n  f string! = {value}\n response json\n");
    let curl = api(&record, &["example", "POST", "v3/x", "--lang", "curl"]);
    let first = curl.lines().next().expect("a line").replace("| wxpay wire", "");
    for shell in ["bash", "dash", "zsh"] {
        let script = format!("{first}\nprintf '%s' \"$request\"");
        let Ok(output) = Command::new(shell).args(["-c", &script]).output() else { continue };
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(line["options"]["json"]["f"], value, "{shell}");
    }
    let php = api(&record, &["example", "POST", "v3/x", "--lang", "php"]);
    assert!(php.contains(r#"'f' => 'a\'b"c\\n\\\\ $(id) `id` %s',"#), "{php}");
}

/// A folder with pages, the output of the import, and the catalogue that it wrote.
fn import(pages: &[(&str, &str)]) -> (String, Option<Catalog>) {
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["openapi", "webhook"] {
        fs::create_dir_all(folder.path().join(part)).expect("a folder");
    }
    for (name, page) in pages {
        fs::write(folder.path().join(name), page).expect("written");
    }
    let file = folder.path().join("catalog.txt");
    let mut command = wxpay(&["api", "import", "-o"]);
    command.arg(&file).arg(folder.path());
    let output = run_with_input(command, "");
    assert_eq!(output.status.success(), file.exists(), "{output:?}");
    (text(&output.stderr), file.exists().then(|| Catalog::from_path(&file).expect("what was written can be read")))
}

const PAGE: &str = "---\ntitle: T\n---\n# T {#post}\n\n```php\n$instance->chain('v3/x')->post();\n```\n\n\
                    | 请求参数 | 类型 | 描述\n| --- | --- | ---\n| json {data-required} | object | x\n\
                    | a {data-indent=1 data-required} | string | x\n";

#[test]
fn hostile_pages_are_left_out_with_a_note() {
    let (notes, catalog) = import(&[("openapi/good.md", PAGE)]);
    let catalog = catalog.expect("a catalogue");
    assert_eq!(catalog.calls().len(), 1, "{notes}");
    assert_eq!(catalog.find("POST", "v3/x").expect("the call").title(), "T");
    for (from, to, note) in [
        ("chain('v3/x')", "chain('v3/x y')", "the record cannot be read back: left out"),
        ("chain('v3/x')", "chain('')", "the record cannot be read back: left out"),
        ("chain('v3/x')", "chain('$(id)')", "the record cannot be read back: left out"),
        ("# T {#post}", "# {#post}", "the record cannot be read back: left out"),
        ("title: T", "title: T\n---\n# T\u{1b}[31m {#post}", "the record cannot be read back: left out"),
        ("data-indent=1", "data-indent=99999999999", "too deep"),
        ("data-indent=1", "data-indent=21", "a row is left out: it is too deep"),
        ("| a {", "| a'b {", "is not the name of a field"),
    ] {
        let page = PAGE.replace(from, to);
        assert_ne!(page, PAGE);
        let (notes, _) = import(&[("openapi/bad.md", &page), ("openapi/good.md", PAGE)]);
        assert!(notes.contains(note), "{to:?}: {notes}");
        assert!(!notes.contains('\u{1b}'), "{notes:?}");
    }
    // Nesting that would overflow the stack, and a name that would break the record.
    let rows: String = (1..200_000).map(|indent| format!("| a {{data-indent={indent}}} | object | x\n")).collect();
    let (_, catalog) = import(&[("openapi/deep.md", &format!("{PAGE}{rows}"))]);
    assert_eq!(catalog.expect("a catalogue").calls().len(), 1);
    let (notes, _) = import(&[("openapi/good.md", PAGE), ("webhook/a\nb.md", PAGE)]);
    assert!(notes.contains("left out"), "{notes}");
    // A folder without documented calls does not replace a catalogue.
    let (notes, catalog) = import(&[("openapi/index.md", "# nothing\n")]);
    assert!(catalog.is_none() && notes.contains("has no documented calls"), "{notes}");
}
