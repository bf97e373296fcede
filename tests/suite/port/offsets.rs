//! Elements of objects from other files: PHP calls the methods of `ArrayAccess`.

use std::process::Command;

use crate::port::corpus::php;
use crate::port::rustc::{Compiler, folder, port};

/// The stubs with the code of the methods in `tests/port/offsets/order.php`.
fn completed(rust: &str) -> String {
    let mut method = "";
    let mut out = String::new();
    for line in rust.lines() {
        method = line.trim_start().strip_prefix("pub fn ").and_then(|rest| rest.split('(').next()).unwrap_or(method);
        let body = match method.trim_end_matches('_') {
            _ if !line.trim_start().starts_with("todo!(") => line,
            "new" => "Ok(Order)",
            "offset_exists" => {
                "let a = php::text(&json!(a));\nprintln!(\"exists {a}\");\nOk(VALUES.with_borrow(|values| values.get(&a).is_some()))"
            }
            "offset_get" => {
                "let a = php::text(&json!(a));\nprintln!(\"get {a}\");\nOk(VALUES.with_borrow(|values| values.get(&a).cloned().unwrap_or_default()))"
            }
            "offset_set" => {
                "let a = json!(a);\nlet a = if a.is_null() { \"end\".to_owned() } else { php::text(&a) };\nprintln!(\"set {a} {}\", json!(b));\nVALUES.with_borrow_mut(|values| values[a] = json!(b));\nOk(())"
            }
            "offset_unset" => {
                "let a = php::text(&json!(a));\nprintln!(\"unset {a}\");\nVALUES.with_borrow_mut(|values| php::unset(values, a.as_str()));\nOk(())"
            }
            _ => panic!("{line}\n{rust}"),
        };
        out.push_str(&format!("{body}\n"));
    }
    out + "thread_local! {\nstatic VALUES: std::cell::RefCell<serde_json::Value> = \
           std::cell::RefCell::new(json!({\"no\": \"A1\", \"zero\": 0, \"nothing\": null, \"list\": {\"b\": 2}}));\n}\n"
}

#[test]
fn elements_of_objects_from_other_files_print_the_same() {
    let source = include_str!("../../port/offsets/orders.php");
    let output = port(&["-"], source.as_bytes());
    let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let stubs = message.lines().filter(|line| line.contains("complete it in mod yours")).count();
    // The last line of the message is the sum.
    assert_eq!(message.lines().count(), stubs + 1, "{message}");
    let folder = folder("offsets");
    let path = folder.join("orders.rs");
    std::fs::write(&path, format!("#![allow(warnings)]\n{}", completed(&rust))).expect("written");
    let program = Compiler::get().compile(&path, &["wechatpay_chain", "serde_json"]);
    let output = Command::new(program).output().expect("ran");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}\n{rust}", String::from_utf8_lossy(&output.stderr));
    std::fs::create_dir_all(folder.join("vendor")).expect("folder");
    std::fs::write(folder.join("vendor/autoload.php"), include_str!("../../port/offsets/order.php")).expect("written");
    std::fs::write(folder.join("orders.php"), source).expect("written");
    if let Some(expected) = php(&folder, &["orders.php"]) {
        assert_eq!(printed, String::from_utf8_lossy(&expected.stdout), "{rust}");
    }
}
