//! Builds the program: one file, or a crate with a module for each PHP file, a module of the
//! stubs, and `main.rs`.

use super::code::{Code, code, indent};
use super::helpers::imported;
use super::imports::BOX_ERROR;
use super::text::{completion_comment, quoted};
use super::{Module, Porter};

/// The converted code of a file: the code outside of functions and classes, and the items.
#[derive(Default)]
pub(super) struct Part {
    pub(super) main: Code,
    pub(super) constants: Vec<Code>,
    pub(super) items: Vec<Code>,
}

impl Porter<'_> {
    /// The program: imports, `main`, functions and helpers.
    pub(super) fn assembled(&mut self, part: Part) -> String {
        let Part { main, constants, items } = part;
        let body = if main.is_empty() { Code::default() } else { code!("{}\n", indent(&main)) };
        let end = if main.jumps() { "" } else { "    Ok(())\n" };
        let mut code = Code::joined(constants.iter().map(|item| code!("{item}\n")).collect::<Vec<_>>().iter(), "");
        if !code.is_empty() {
            code.push(&"\n".into());
        }
        let main = code!("fn main() -> Result<(), {BOX_ERROR}> {{\n{body}{end}}}\n");
        if self.files.extraction.is_none() {
            code.push(&main);
        }
        for item in items {
            code.push(&code!("\n{item}\n"));
        }
        let (imports, helpers) = imported(code.imports());
        let mut out = String::new();
        if !self.state.left.is_empty() {
            out.push_str(&completion_comment());
            out.push_str("\n#![allow(unreachable_code, unused_mut, unused_variables)]\n\n");
        }
        out.push_str(&format!("{imports}\n{}", code.into_text()));
        for helper in helpers {
            out.push_str(&format!("\n{helper}\n"));
        }
        out
    }

    /// Builds the files of the folder `src`.
    pub(super) fn modules(&self, parts: Vec<Part>, yours: Option<Code>) -> Vec<Module> {
        let run = if self.function_names.contains("run") { "run_script" } else { "run" };
        let (mut modules, mut scripts) = (Vec::new(), Vec::new());
        for (number, Part { main, constants: mut items, items: others }) in parts.into_iter().enumerate() {
            items.extend(others);
            let name = self.files.module(number).to_owned();
            let is_script = main.runs();
            if items.is_empty() && !is_script {
                continue;
            }
            let mut head = format!("//! {}\n\n", self.files.name(number));
            if is_script {
                let end = if main.jumps() { "" } else { "\n    Ok(())" };
                items.push(code!(
                    "/// The code of the file outside of functions and classes.\n\
                     pub(crate) fn {run}() -> Result<(), {BOX_ERROR}> {{\n{}{end}\n}}",
                    indent(&main)
                ));
                scripts.push(name.clone());
            } else if !main.is_empty() {
                head.push_str(&format!("{}\n\n", main.into_text()));
            }
            modules.push(Module { rust: module(&head, Code::joined(&items, "\n\n")), name });
        }
        if let Some(yours) = yours {
            let head = "//! Items that the PHP uses and other files define. Complete each item.\n\
                        #![allow(unused_variables)]\n\n";
            modules.push(Module { name: "yours".to_owned(), rust: module(head, yours) });
        }
        let main = self.main_file(&modules, &scripts, run);
        modules.push(Module { name: "main".to_owned(), rust: main });
        modules
    }

    fn main_file(&self, modules: &[Module], scripts: &[String], run: &str) -> String {
        let mut out = String::new();
        if !self.state.left.is_empty() {
            out.push_str(&completion_comment());
            out.push('\n');
        }
        out.push_str("#![allow(dead_code, unreachable_code, unused_imports, unused_mut, unused_variables)]\n\n");
        for module in modules {
            out.push_str(&format!("mod {};\n", module.name));
        }
        out.push('\n');
        for module in modules.iter().filter(|module| module.name != "yours") {
            out.push_str(&format!("pub(crate) use {}::*;\n", module.name));
        }
        out.push_str("\nfn main() -> Result<(), wechatpay_chain::BoxError> {\n");
        if scripts.is_empty() {
            out.push_str("    // The PHP files have no code outside of functions and classes.\n    Ok(())\n}\n");
            return out;
        }
        out.push_str("    // In PHP, each of these files is a program.\n");
        out.push_str("    match std::env::args().nth(1).as_deref() {\n");
        for script in scripts {
            out.push_str(&format!("        Some({}) => {script}::{run}(),\n", quoted(script)));
        }
        let usage = quoted(&format!("give the name of a file: {}", scripts.join(", ")));
        out.push_str(&format!("        _ => Err({usage}.into()),\n    }}\n}}\n"));
        out
    }
}

fn module(head: &str, code: Code) -> String {
    let (imports, helpers) = imported(code.imports());
    let mut out = format!("{head}{imports}use crate::*;\n\n{}\n", code.into_text());
    for helper in helpers {
        out.push_str(&format!("\n{helper}\n"));
    }
    out
}
