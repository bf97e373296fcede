//! Runs `wxpay port` and compiles its output with the libraries that this test is linked with, so
//! that no dependency is built again.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The features that this test was built with.
const FEATURES: [(&str, bool); 9] = [
    ("aws-lc-rs", cfg!(feature = "aws-lc-rs")),
    ("axum", cfg!(feature = "axum")),
    ("cli", cfg!(feature = "cli")),
    ("default", cfg!(feature = "default")),
    ("passphrase", cfg!(feature = "passphrase")),
    ("pkcs12", cfg!(feature = "pkcs12")),
    ("postgres", cfg!(feature = "postgres")),
    ("redis", cfg!(feature = "redis")),
    ("sandbox", cfg!(feature = "sandbox")),
];

/// A temporary folder of a test, which is kept if the test fails.
pub(crate) struct Folder(PathBuf);

/// Creates a folder for this run of the tests.
pub(crate) fn folder(name: &str) -> Folder {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("port-{}", std::process::id())).join(name);
    std::fs::create_dir_all(&folder).expect("folder");
    Folder(folder)
}

impl std::ops::Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
            // The folder of the run is removed once it is empty.
            let _ = self.0.parent().map(std::fs::remove_dir);
        }
    }
}

/// Runs `wxpay port` with this input. The variable `WXPAY_BINARY` names another binary, so that the
/// project can be built during long runs.
pub(crate) fn port(arguments: &[&str], input: &[u8]) -> Output {
    let binary = std::env::var_os("WXPAY_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_wxpay").into());
    let mut child = Command::new(binary)
        .arg("port")
        .args(arguments)
        // Outside of this project, so that its rustfmt.toml is not used.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("wxpay");
    let mut stdin = child.stdin.take().expect("stdin");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A command that ends early closes its input.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("ended");
    writer.join().expect("writer");
    output
}

/// Ports PHP that is supported completely.
pub(crate) fn ported(php: &str) -> String {
    let output = port(&["-"], php.as_bytes());
    let (rust, message) = (String::from_utf8(output.stdout).expect("UTF-8"), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{message}\n{php}\n{rust}");
    assert_eq!(message, "", "unexpected message for\n{php}");
    rust
}

/// rustc, and the libraries that programs are compiled with.
pub(crate) struct Compiler {
    artifacts: Vec<Value>,
    search: BTreeSet<String>,
}

impl Compiler {
    /// The compiler, with the libraries that cargo built for this test.
    pub(crate) fn get() -> &'static Compiler {
        static COMPILER: OnceLock<Compiler> = OnceLock::new();
        COMPILER.get_or_init(Compiler::find)
    }

    fn find() -> Compiler {
        let features: Vec<_> = FEATURES.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let profile = Path::new(env!("CARGO_BIN_EXE_wxpay")).parent().expect("profile");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // These variables would cause build scripts to run again.
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| shown.starts_with(prefix)) {
                cargo.env_remove(&name);
            }
        }
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["test", "--locked", "--offline", "--quiet", "--no-run", "--test", "suite"]);
        cargo.args(["--message-format", "json", "--no-default-features", "--features", &features.join(",")]);
        cargo.arg("--target-dir").arg(profile.parent().expect("target"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.stdin(Stdio::null()).output().expect("cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a message of cargo"));
        let (mut artifacts, mut search) = (Vec::new(), BTreeSet::new());
        for message in messages {
            let paths = message["linked_paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
            search.extend(paths.map(str::to_owned));
            if message["reason"] == "compiler-artifact" {
                artifacts.push(message);
            }
        }
        Compiler { artifacts, search }
    }

    /// The library of a crate. If it was built for a build script, too, this is the one with more
    /// features.
    fn library(&self, name: &str) -> &Path {
        let libraries = self.artifacts.iter().filter(|artifact| {
            artifact["target"]["name"] == name
                && artifact["target"]["kind"][0] == "lib"
                && artifact["profile"]["test"] == false
        });
        let library = libraries.max_by_key(|artifact| artifact["features"].as_array().map(Vec::len));
        let files = library.and_then(|library| library["filenames"].as_array()).into_iter().flatten();
        let file = files.filter_map(Value::as_str).find(|file| file.ends_with(".rlib"));
        Path::new(file.unwrap_or_else(|| panic!("cargo built no {name}")))
    }

    /// Compiles a program. Panics with the message of rustc if that fails.
    pub(crate) fn compile(&self, source: &Path, crates: &[&str]) -> PathBuf {
        let (output, program) = self.rustc(source, crates);
        assert!(output.status.success(), "{}\n{}", source.display(), String::from_utf8_lossy(&output.stderr));
        program
    }

    /// Runs rustc, and returns its output and the path of the program.
    pub(crate) fn rustc(&self, source: &Path, crates: &[&str]) -> (Output, PathBuf) {
        let program = source.with_extension("bin");
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "--crate-name", "ported", "--crate-type", "bin"]);
        rustc.args(["-C", "debuginfo=0", "-C", "codegen-units=16"]);
        for name in crates {
            rustc.arg("--extern").arg(format!("{name}={}", self.library(name).display()));
        }
        let dependencies = self.library("wechatpay_chain").parent().expect("folder");
        for folder in [dependencies, &dependencies.join("deps")] {
            rustc.arg("-L").arg(format!("dependency={}", folder.display()));
        }
        for path in &self.search {
            rustc.arg("-L").arg(path);
        }
        (rustc.arg(source).arg("-o").arg(&program).output().expect("rustc"), program)
    }
}
