//! Instructions, counted by valgrind: the same on a machine that is busy, so that a regression of a few hundredths shows.
//!
//! Only what runs inside of [`counted`] is counted. `benches/counts.txt` has the counts that were last thought right; what needs 3 % more ends the
//! run with an error, where it was counted with the same compiler.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::floor::{Floor, Key};
use crate::parts::{self, Material};
use crate::{call, client_by, runtime};

/// The argument that makes this program the one that is counted.
pub(crate) const CHILD: &str = "--counted=";
const TIMES: u64 = 200;
const MOST: f64 = 1.03;

#[inline(never)]
fn counted(mut run: impl FnMut(u64)) {
    run(TIMES);
}

/// Runs one thing, first without being counted.
pub(crate) fn child(name: &str) {
    let (settings, material): (Value, Material) =
        serde_json::from_reader(std::io::stdin().lock()).expect("what to work on");
    let runtime = runtime();
    let mut run: Box<dyn FnMut(u64)> = match name {
        "call" => {
            let client = client_by(&settings, Key::None);
            Box::new(move |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        call(&client).await
                    }
                })
            })
        }
        "call/hyper" => {
            let floor = Floor::new(&settings, Key::None);
            Box::new(move |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        floor.call().await
                    }
                })
            })
        }
        name => {
            let (_, mut part) = parts::all(material).into_iter().find(|(part, _)| *part == name).expect("a part");
            Box::new(move |times| (0..times).for_each(|_| part()))
        }
    };
    run(20);
    counted(run);
}

/// Instructions of one thing, once.
fn count(input: &str, name: &str) -> u64 {
    let mut child = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*"])
        .arg(std::env::current_exe().expect("this binary"))
        .arg(format!("{CHILD}{name}"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("valgrind");
    child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("input");
    let output = child.wait_with_output().expect("output");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {message}");
    let collected = message.lines().find_map(|line| line.split_once("Collected : ")).expect("a count").1;
    collected.trim().parse::<u64>().expect("number") / TIMES
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("-V").output().expect("rustc");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Whether nothing needs more than it did.
pub(crate) fn run(settings: &Value, update: bool) -> bool {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: instructions are counted by valgrind, which is not here");
        return true;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/counts.txt");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let same = before.lines().next() == Some(&*compiler());
    if !same && !update {
        println!("benches/counts.txt was counted with another compiler: shown, not compared");
    }
    let material = Material::make();
    let input = serde_json::to_string(&(settings, &material)).expect("JSON");
    let names: Vec<_> =
        parts::all(material).into_iter().map(|(name, _)| name).filter(|name| !name.starts_with("sign")).collect();
    let (mut written, mut good) = (compiler() + "\n", true);
    println!("Instructions");
    for name in names.into_iter().chain(["call", "call/hyper"]) {
        let now = count(&input, name);
        let then = before.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok());
        let more = then.filter(|_| same).map(|then| now as f64 / then as f64);
        let worse = more.is_some_and(|more| more > MOST);
        println!(
            "{name:<20} {now:>8}{}{}",
            more.map_or_else(String::new, |more| format!("  {more:.3}")),
            if worse { "  MORE" } else { "" }
        );
        written += &format!("{name} {now}\n");
        good &= !worse;
    }
    if update {
        std::fs::write(&file, written).expect("benches/counts.txt");
        return true;
    }
    good
}
