//! `--help` in Chinese: the texts of the commands and arguments, the sections below the options,
//! and the words of clap.
//!
//! clap wraps texts at spaces, and counts each character as one column. Chinese has no spaces, and
//! its characters take two columns. A space after each character corrects both; [`finish`] removes
//! them.

use std::collections::HashMap;
use std::sync::LazyLock;

use clap::builder::StyledStr;
use clap::{Arg, Command};

use crate::proto::translate::pairs;

const FILE: &str = include_str!("help.zh.txt");
/// The heading above clap's own words in the file.
const WORDS: &str = "\n# Words of the library clap\n";
/// Stands for a space that [`finish`] must not remove.
const SPACE: char = '\u{a0}';

static TEXTS: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| pairs(FILE).collect());

/// Translates the help of a command line to Chinese.
pub(super) fn translate(command: Command) -> Command {
    type Set = fn(Command, StyledStr) -> Command;
    let texts: [(Option<StyledStr>, Set); 4] = [
        (command.get_about().map(spaced), |command, text| command.about(text)),
        (command.get_long_about().map(spaced), |command, text| command.long_about(text)),
        (command.get_after_help().map(lines), |command, text| command.after_help(text)),
        (command.get_after_long_help().map(lines), |command, text| command.after_long_help(text)),
    ];
    let command = texts.into_iter().fold(command, |command, (text, set)| match text {
        Some(text) => set(command, text),
        None => command,
    });
    let command = command.mut_args(argument);
    command.mut_subcommands(translate)
}

fn argument(argument: Arg) -> Arg {
    let (help, long_help) = (argument.get_help().map(spaced), argument.get_long_help().map(spaced));
    let heading = argument.get_help_heading().and_then(|heading| TEXTS.get(heading).copied());
    let argument = match help {
        Some(help) => argument.help(help),
        None => argument,
    };
    let argument = match long_help {
        Some(long_help) => argument.long_help(long_help),
        None => argument,
    };
    match heading {
        Some(heading) => argument.help_heading(heading),
        None => argument,
    }
}

/// Rendered help without the spaces that [`translate`] added, and with clap's words in Chinese.
pub(super) fn finish(rendered: &str) -> String {
    let mut out = String::with_capacity(rendered.len());
    let mut after_wide = false;
    for c in rendered.chars() {
        if !(c == ' ' && after_wide) {
            out.push(if c == SPACE { ' ' } else { c });
        }
        after_wide = is_wide(c) || c == SPACE;
    }
    let words = FILE.split_once(WORDS).map_or("", |(_, words)| words);
    pairs(words).fold(out, |text, (english, chinese)| text.replace(english, chinese))
}

/// The Chinese translation of a text, paragraph by paragraph, with a space after each Chinese
/// character.
fn spaced(text: &StyledStr) -> StyledStr {
    let text = text.to_string();
    let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| spread(chinese(paragraph))).collect();
    paragraphs.join("\n\n").into()
}

/// The Chinese translation of a section, line by line. The lines of a section are short, so they
/// are not wrapped.
fn lines(text: &StyledStr) -> StyledStr {
    let text = text.to_string();
    text.split('\n').map(chinese).collect::<Vec<_>>().join("\n").replace(' ', &SPACE.to_string()).into()
}

fn chinese(text: &str) -> &str {
    TEXTS.get(text).copied().unwrap_or(text)
}

fn spread(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        out.push(c);
        // A line does not end with an opening bracket.
        if !is_wide(c) || matches!(c, '（' | '“') {
            continue;
        }
        match characters.peek() {
            Some(' ') => {
                characters.next();
                out.extend([SPACE, ' ']);
            }
            // A line does not begin with a punctuation mark.
            Some('，' | '。' | '；' | '：' | '、' | '）' | '”') | None => {}
            Some(_) => out.push(' '),
        }
    }
    out
}

/// Whether a character takes two columns.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201d}' | '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::{args, help};

    fn texts(command: &Command, found: &mut BTreeSet<String>) {
        let mut add = |text: Option<&StyledStr>| {
            found.extend(text.into_iter().flat_map(|text| {
                let text = text.to_string();
                text.split("\n\n").map(str::to_owned).collect::<Vec<_>>()
            }));
        };
        add(command.get_about());
        add(command.get_long_about());
        for argument in command.get_arguments() {
            add(argument.get_help());
            add(argument.get_long_help());
        }
        for argument in command.get_arguments() {
            found.extend(argument.get_help_heading().map(str::to_owned));
        }
        command.get_subcommands().for_each(|command| texts(command, found));
    }

    fn sections(command: &Command, found: &mut BTreeSet<String>) {
        for text in [command.get_after_help(), command.get_after_long_help()].into_iter().flatten() {
            found.extend(text.to_string().lines().map(str::to_owned));
        }
        command.get_subcommands().for_each(|command| sections(command, found));
    }

    #[test]
    fn every_text_has_an_entry_and_every_entry_a_text() {
        let command = help::add(args::Args::command());
        let (mut prose, mut lines) = (BTreeSet::new(), BTreeSet::new());
        texts(&command, &mut prose);
        sections(&command, &mut lines);
        let missing: Vec<_> = prose.iter().filter(|text| !TEXTS.contains_key(text.as_str())).collect();
        assert!(missing.is_empty(), "src/cli/help.zh.txt lacks: {missing:#?}");
        let own = FILE.split_once(WORDS).expect("the words of clap").0;
        let unused: Vec<_> = pairs(own)
            .map(|(english, _)| english)
            .filter(|text| !prose.contains(*text) && !lines.contains(*text))
            .collect();
        if cfg!(feature = "sandbox") {
            assert!(unused.is_empty(), "entries without a text: {unused:#?}");
        }
        // Each heading and each exit code must have a translation.
        for line in lines
            .iter()
            .filter(|line| line.ends_with(':') || line.starts_with("  ") && line.as_bytes()[2].is_ascii_digit())
        {
            assert!(TEXTS.contains_key(line.as_str()), "src/cli/help.zh.txt lacks {line:?}");
        }
    }

    #[test]
    fn help_is_wrapped_and_keeps_its_spaces() {
        let texts = ["配置取自 --config FILE 和 WXPAY_... 环境变量。", "中文，英文（a b）"];
        for text in texts {
            assert_eq!(finish(&spread(text)), text);
        }
        let mut command = translate(help::add(args::Args::command())).term_width(100);
        for name in ["req", "bill", "verify", "sandbox"] {
            let Some(command) = command.find_subcommand_mut(name) else { continue };
            let help = finish(&command.clone().term_width(100).render_long_help().to_string());
            for line in help.lines() {
                let columns: usize = line.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum();
                assert!(columns <= 110, "{columns} columns: {line}");
            }
            for english in ["Usage:", "Options:", "Print ", "Examples:"] {
                assert!(!help.contains(english), "{name}: {english}: {help}");
            }
        }
    }
}
