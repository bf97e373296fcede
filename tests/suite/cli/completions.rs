//! What `wxpay` gives to a shell and to man: completions, the manual page, `--help`.

use std::process::{Command, Stdio};

use crate::cli::req::{finish, text, wxpay};

/// All commands, as the arguments that lead to them.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["req"],
    &["wire"],
    &["certs"],
    &["port"],
    &["doctor"],
    &["sandbox"],
    &["sandbox", "pay"],
    &["sandbox", "refund"],
    &["sandbox", "confirm"],
    &["sandbox", "replay"],
    &["sandbox", "probe"],
    &["sandbox", "card"],
    &["sandbox", "fault"],
    &["sandbox", "state"],
    &["completions"],
    &["man"],
];

fn out(arguments: &[&str]) -> String {
    let output = finish(wxpay(arguments), "");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The long options that a command's `--help` shows.
fn options(command: &[&str]) -> Vec<String> {
    let help = out(&[command, &["--help"]].concat());
    let first = |line: &str| {
        let option = line.trim_start().split(", ").find(|part| part.starts_with("--"))?;
        Some(option.split([' ', '=']).next()?.to_owned())
    };
    let options = help.split("Options:").nth(1).unwrap_or_default().lines();
    options.take_while(|line| !line.starts_with("Example")).filter_map(first).collect()
}

/// Runs a program that may not be here.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if command.spawn().map(|mut child| child.kill()).is_err() {
        println!("SKIPPED: {program} is not installed");
        return None;
    }
    let output = finish(command, input);
    assert!(output.status.success() && output.stderr.is_empty(), "{program}: {}", text(&output.stderr));
    Some(text(&output.stdout))
}

#[test]
fn completions_name_every_command_and_option() {
    assert!(options(&["req"]).contains(&"--sink".to_owned()), "{:?}", options(&["req"]));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = out(&["completions", shell]);
        for command in COMMANDS {
            let name = command.last().unwrap_or(&"wxpay");
            assert!(script.contains(name), "{shell} does not know {command:?}");
            for option in options(command) {
                // fish writes them apart from their dashes.
                let written = if shell == "fish" { format!("-l {}", &option[2..]) } else { option };
                assert!(script.contains(&written), "{shell}, {command:?}: no {written:?}");
            }
        }
    }
    assert_eq!(finish(wxpay(&["completions", "cmd"]), "").status.code(), Some(2));
}

#[test]
fn the_scripts_are_of_their_shell() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")] {
        run(shell, &[check, "/dev/stdin"], &out(&["completions", shell]));
    }
    // What bash does with it when somebody presses the tab key.
    let script = out(&["completions", "bash"]);
    let press = |words: &[&str]| {
        let (typed, at) = (words.last().expect("a word"), words.len() - 1);
        let call = format!("COMP_WORDS=({}); COMP_CWORD={at}; _wxpay wxpay '{typed}'", words.join(" "));
        run("bash", &["--norc", "-s"], &format!("{script}\n{call}; echo \"${{COMPREPLY[@]}}\"\n"))
    };
    for (words, expected) in [
        (&["wxpay", "do"][..], "doctor"),
        (&["wxpay", "sandbox", "p"], "pay probe"),
        (&["wxpay", "req", "--s"], "--sink --security"),
    ] {
        if let Some(offered) = press(words) {
            assert_eq!(offered.trim(), expected, "{words:?}");
        }
    }
}

#[test]
fn one_manual_page_has_every_command_and_option() {
    let page = out(&["man"]);
    assert!(page.contains(".TH wxpay 1"), "{}", &page[..200]);
    let plain = match run("groff", &["-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=120n", "-rHY=0"], &page) {
        Some(rendered) => rendered,
        None => page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", ""),
    };
    let plain = plain.replace(['\u{2010}', '\u{2212}'], "-");
    for command in COMMANDS {
        let name = [&["wxpay"], *command].concat().join(" ");
        assert!(plain.contains(&name), "no {name}");
        for option in options(command) {
            assert!(plain.contains(&option), "{name}: no {option}");
        }
    }
    for words in ["EXAMPLES", "WXPAY_PRIVATE_KEY", "EXIT CODES", "the outcome is unknown"] {
        assert!(plain.contains(words), "no {words:?}");
    }
}

#[test]
fn help_can_be_read() {
    for command in COMMANDS {
        for how in ["-h", "--help"] {
            let help = out(&[command, &[how][..]].concat());
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{command:?} {how}: more than 100 columns: {line}");
            }
            assert!(help.lines().next().is_some_and(|line| !line.is_empty()), "{command:?} begins with no purpose");
        }
    }
    let help = out(&["--help"]);
    for words in ["Examples:", "Settings:", "Environment:", "WXPAY_CONFIG", "Exit codes:"] {
        assert!(help.contains(words), "no {words:?} in {help}");
    }
    let help = out(&["req", "--help"]);
    assert!(help.contains("Request:") && help.contains("--sink bill.csv") && help.contains("Exit codes:"), "{help}");
    // A pipe that is closed is no failure.
    let mut command = wxpay(&["man"]);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().expect("wxpay");
    drop(child.stdout.take());
    assert!(child.wait().expect("ended").success());
}
