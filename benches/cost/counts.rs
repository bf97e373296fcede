//! Instructions, counted by valgrind. The counts do not depend on the load of the machine, so that
//! a regression of a few percent is visible.
//!
//! Only what runs inside [`counted`] is counted. `benches/counts.txt` contains the accepted counts.
//! The run fails if one is exceeded by 3 %, provided that the file was written with the same
//! compiler.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::baseline::{Baseline, Key};
use crate::micro::{self, Input};
use crate::{call, client_with_key, current_thread_runtime};

/// The argument with which this program runs under valgrind.
pub(crate) const CHILD: &str = "--counted=";
const REPETITIONS: u64 = 200;
const MAX_RATIO: f64 = 1.03;

/// Borrows the benchmark, so that dropping its input is not counted.
#[inline(never)]
fn counted(run: &mut dyn FnMut(u64)) {
    run(REPETITIONS);
}

/// Runs one benchmark, at first without counting.
pub(crate) fn child(name: &str) {
    let (settings, benchmark_input): (Value, Input) =
        serde_json::from_reader(std::io::stdin().lock()).expect("settings and input");
    let runtime = current_thread_runtime();
    let mut run: Box<dyn FnMut(u64)> = match name {
        "call" => {
            let client = client_with_key(&settings, Key::None);
            Box::new(move |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        call(&client).await
                    }
                })
            })
        }
        "call/hyper" => {
            let baseline = Baseline::new(&settings, Key::None);
            Box::new(move |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        baseline.call().await
                    }
                })
            })
        }
        name => {
            let (_, mut run) =
                micro::all(benchmark_input).into_iter().find(|(other, _)| *other == name).expect("a benchmark");
            Box::new(move |times| (0..times).for_each(|_| run()))
        }
    };
    run(20);
    counted(&mut *run);
}

/// The instructions of one benchmark, for one repetition.
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
    collected.trim().parse::<u64>().expect("number") / REPETITIONS
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("-V").output().expect("rustc");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Counts all benchmarks. Returns whether none exceeds its accepted count.
pub(crate) fn run(settings: &Value, update: bool) -> bool {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: no valgrind (apt-get install valgrind)");
        return true;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/counts.txt");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let is_same_compiler = before.lines().next() == Some(&*compiler());
    if !is_same_compiler && !update {
        println!("benches/counts.txt was written with another compiler, so the counts are not compared");
    }
    let benchmark_input = Input::generate();
    let input = serde_json::to_string(&(settings, &benchmark_input)).expect("JSON");
    let names: Vec<_> = micro::all(benchmark_input)
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("sign"))
        .collect();
    let (mut written, mut is_good) = (compiler() + "\n", true);
    println!("Instructions");
    for name in names.into_iter().chain(["call", "call/hyper"]) {
        let now = count(&input, name);
        let then = before.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok());
        let ratio = then.filter(|_| is_same_compiler).map(|then| now as f64 / then as f64);
        let is_worse = ratio.is_some_and(|ratio| ratio > MAX_RATIO);
        println!(
            "{name:<20} {now:>8}{}{}",
            ratio.map_or_else(String::new, |ratio| format!("  {ratio:.3}")),
            if is_worse { "  MORE" } else { "" }
        );
        written += &format!("{name} {now}\n");
        is_good &= !is_worse;
    }
    if update {
        std::fs::write(&file, written).expect("benches/counts.txt");
        return true;
    }
    is_good
}
