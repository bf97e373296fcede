//! Shell completions, the manual page and `--help`.

use std::process::{Command, Stdio};

use super::{run_with_input, text, wxpay};

/// The arguments of all commands.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["req"],
    &["bill"],
    &["wire"],
    &["notify", "verify"],
    &["notify", "decrypt"],
    &["sign", "request"],
    &["sign", "message"],
    &["verify", "request"],
    &["verify", "response"],
    &["verify", "message"],
    &["certs"],
    &["port"],
    &["api"],
    &["api", "search"],
    &["api", "show"],
    &["api", "example"],
    &["api", "types"],
    &["api", "list"],
    &["api", "import"],
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

/// The standard output of a command that succeeds.
fn stdout_of(arguments: &[&str]) -> String {
    let output = run_with_input(wxpay(arguments), "");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The long options that a command's `--help` shows.
fn options(command: &[&str]) -> Vec<String> {
    let help = stdout_of(&[command, &["--help"]].concat());
    let first = |line: &str| {
        let option = line.trim_start().split(", ").find(|part| part.starts_with("--"))?;
        Some(option.split([' ', '=']).next()?.to_owned())
    };
    let options = help.split("Options:").nth(1).unwrap_or_default().lines();
    options.take_while(|line| !line.starts_with("Example")).filter_map(first).collect()
}

/// Runs a program. `None` if it is not installed.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if command.spawn().map(|mut child| child.kill()).is_err() {
        println!("SKIPPED: {program} is not installed");
        return None;
    }
    let output = run_with_input(command, input);
    assert!(output.status.success() && output.stderr.is_empty(), "{program}: {}", text(&output.stderr));
    Some(text(&output.stdout))
}

#[test]
fn completions_contain_every_command_and_option() {
    assert!(options(&["req"]).contains(&"--sink".to_owned()), "{:?}", options(&["req"]));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout_of(&["completions", shell]);
        for command in COMMANDS {
            let name = command.last().unwrap_or(&"wxpay");
            assert!(script.contains(name), "{shell}: no {command:?}");
            for option in options(command) {
                // fish scripts have the names without dashes.
                let written = if shell == "fish" { format!("-l {}", &option[2..]) } else { option };
                assert!(script.contains(&written), "{shell}, {command:?}: no {written:?}");
            }
        }
    }
    assert_eq!(run_with_input(wxpay(&["completions", "cmd"]), "").status.code(), Some(2));
}

#[test]
fn completion_scripts_are_valid_and_complete_words() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")] {
        run(shell, &[check, "/dev/stdin"], &stdout_of(&["completions", shell]));
    }
    // The suggestions of bash for the tab key.
    let script = stdout_of(&["completions", "bash"]);
    let complete = |words: &[&str]| {
        let (typed, at) = (words.last().expect("a word"), words.len() - 1);
        let (all, before) = (words.join(" "), words[at - 1]);
        let call = format!("COMP_WORDS=({all}); COMP_CWORD={at}; _wxpay wxpay '{typed}' '{before}'");
        run("bash", &["--norc", "-s"], &format!("{script}\n{call}; echo \"${{COMPREPLY[@]}}\"\n"))
    };
    for (words, expected) in [
        (&["wxpay", "do"][..], "doctor"),
        (&["wxpay", "sandbox", "p"], "pay probe"),
        (&["wxpay", "sandbox", "trigger", "REFUND.A"], "REFUND.ABNORMAL"),
        (&["wxpay", "sandbox", "trigger", "PROFITSHARING.R"], "PROFITSHARING.RETURN"),
        (&["wxpay", "sandbox", "fault", "wrong"], "wrong-signature"),
        (&["wxpay", "req", "--method", "PA"], "PATCH"),
        (&["wxpay", "bill", "y"], "yesterday"),
        (&["wxpay", "bill", "2026-11-29", "--account", "F"], "FEES"),
        (&["wxpay", "req", "--s"], "--sink --security"),
        (
            &["wxpay", "req", "v3/refund/domestic/refunds/{r"],
            "v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund",
        ),
        (&["wxpay", "api", "show", "POST", "v3/certificat"], "v3/certificates"),
    ] {
        if let Some(suggestions) = complete(words) {
            assert_eq!(suggestions.trim(), expected, "{words:?}");
        }
    }
}

#[test]
fn the_manual_page_contains_every_command_and_option() {
    let page = stdout_of(&["man"]);
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
    for expected in ["EXAMPLES", "WXPAY_PRIVATE_KEY", "EXIT CODES", "the outcome is unknown"] {
        assert!(plain.contains(expected), "no {expected:?}");
    }
}

#[test]
fn help_fits_into_100_columns_and_has_its_sections() {
    for command in COMMANDS {
        for option in ["-h", "--help"] {
            let help = stdout_of(&[command, &[option][..]].concat());
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{command:?} {option}: more than 100 columns: {line}");
            }
            assert!(
                help.lines().next().is_some_and(|line| !line.is_empty()),
                "{command:?} does not begin with its purpose"
            );
        }
    }
    let help = stdout_of(&["--help"]);
    for expected in ["Examples:", "Settings:", "Environment:", "WXPAY_CONFIG", "Exit codes:"] {
        assert!(help.contains(expected), "no {expected:?} in {help}");
    }
    let help = stdout_of(&["req", "--help"]);
    assert!(help.contains("Request:") && help.contains("--sink bill.csv") && help.contains("Exit codes:"), "{help}");
    // A closed pipe is not an error.
    let mut command = wxpay(&["man"]);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().expect("wxpay");
    drop(child.stdout.take());
    assert!(child.wait().expect("ended").success());
}

/// A file name in another encoding, such as GBK.
#[cfg(unix)]
#[test]
fn an_argument_that_is_not_unicode_is_accepted() {
    use std::os::unix::ffi::OsStrExt;
    let mut command = wxpay(&["port"]);
    command.arg(std::ffi::OsStr::from_bytes(b"\xd6\xd0.php"));
    let output = run_with_input(command, "");
    let message = text(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 101) && !message.contains("panicked"), "{message}");
}

#[test]
fn colour_is_for_terminals_or_on_request() {
    let red = "\u{1b}[1;31mwxpay:\u{1b}[0m ";
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = wxpay(arguments);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(variables.iter().copied());
        let output = run_with_input(command, "");
        (text(&output.stdout), text(&output.stderr))
    };
    let failing = ["api", "search", "qqqqqqqq"];
    let with = |arguments: &[&str], color: &[&str]| run(&[arguments, color].concat(), &[]);
    assert!(with(&failing, &[]).1.starts_with("wxpay: no call"), "a pipe");
    assert!(with(&failing, &["--color", "always"]).1.starts_with(red));
    assert!(with(&failing, &["--color=always"]).1.starts_with(red));
    assert!(with(&["--help"], &["--color", "always"]).0.contains("\u{1b}["));
    assert!(!with(&["--help"], &["--color", "never"]).0.contains("\u{1b}["));
    let chinese = run(&["--help", "--color", "always"], &[("WXPAY_LANG", "zh")]).0;
    assert!(chinese.contains("\u{1b}[") && chinese.contains("用法："), "{chinese}");
    assert!(!run(&["--help"], &[("WXPAY_LANG", "zh")]).0.contains("\u{1b}["));
    assert!(with(&["doctor", "--offline"], &["--color", "always"]).0.contains("\u{1b}[1;31mFAILED  \u{1b}[0m mchid"));
    // The output on a terminal, with and without NO_COLOR.
    #[cfg(target_os = "linux")]
    for (variables, expected) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("'{}' {}", env!("CARGO_BIN_EXE_wxpay"), failing.join(" ")), "/dev/null"]);
        command.env("TERM", "xterm").env_remove("NO_COLOR").envs(variables.iter().copied());
        command.env("WXPAY_LANG", "en").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = text(&run_with_input(command, "").stdout);
        assert_eq!(shown.starts_with(red), expected, "{variables:?}: {shown:?}");
    }
}
