//! The shell commands of the documentation, executed against the sandbox.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{read, root};

/// A page, and the blocks of it in which a command fails, each by a text that it contains.
const PAGES: [(&str, &[&str]); 4] = [
    ("README.md", &[]),
    ("docs/README.zh-CN.md", &[]),
    ("docs/manual/command-line.md", &FAILING),
    ("docs/manual/command-line.zh-CN.md", &FAILING),
];
const FAILING: [&str; 3] = ["out-trade-no/none", "sandbox fault wrong-signature", "verify request request.txt"];

/// Blocks that need files or programs which the page does not create.
const SKIPPED: [&str; 6] = ["cargo ", "wxpay port", "wxpay notify", "completions", "wxpay man", "$(cat signature.txt)"];

/// A PNG image of one pixel.
const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\xa1\x8f\xcd\xb5\0\0\0\0IEND\xaeB`\x82";

/// The `sh` blocks of a page, in order.
fn blocks(page: &str) -> Vec<String> {
    let text = read(&root().join(page));
    let blocks = text.split("\n```").filter_map(|block| block.strip_prefix("sh\n"));
    blocks.map(str::to_owned).collect()
}

fn shell(folder: &Path, script: &str) -> std::process::Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_wxpay")).parent().expect("a folder").to_owned();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
    let mut command = Command::new("sh");
    command.current_dir(folder).env("PATH", path).env("WXPAY_CONFIG", "wxpay-sandbox/wxpay.toml");
    command.args(["-e", "-c", script]).output().expect("sh")
}

#[test]
fn the_shell_commands_of_the_pages_work() {
    for (page, failing) in PAGES {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("licence.png"), IMAGE).expect("written");
        let mut sandbox = Command::new(env!("CARGO_BIN_EXE_wxpay"));
        sandbox.args(["sandbox", "--port", "0", "--json"]).current_dir(folder.path()).stdout(Stdio::piped());
        let mut sandbox = sandbox.spawn().expect("wxpay sandbox");
        let mut line = String::new();
        BufReader::new(sandbox.stdout.take().expect("stdout")).read_line(&mut line).expect("its settings");
        let mut executed = 0;
        for block in blocks(page) {
            let is_skipped = SKIPPED.iter().any(|text| block.contains(text)) || !block.contains("wxpay ");
            if is_skipped {
                continue;
            }
            let output = shell(folder.path(), &block);
            let fails = failing.iter().any(|text| block.contains(text));
            assert_eq!(output.status.success(), !fails, "{page}: {block}\n{}", String::from_utf8_lossy(&output.stderr));
            executed += 1;
        }
        sandbox.kill().expect("stopped");
        sandbox.wait().expect("stopped");
        assert!(executed >= if page.contains("README") { 1 } else { 12 }, "{page}: {executed} blocks");
    }
}
