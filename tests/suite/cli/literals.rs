//! The messages in the sources: string literals that are sentences.

/// The string literals of a source, with `{}` for each argument of a format, as in the catalogue.
pub(crate) fn literals(source: &str) -> Vec<String> {
    let source = source.split("\nmod tests {").next().expect("first part");
    let mut found = Vec::new();
    let (mut before, mut rest) = (String::new(), source);
    while let Some(at) = rest.find(['"', '\'', '/']) {
        before.push_str(&rest[..at]);
        rest = &rest[at..];
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(escaped) = rest.strip_prefix("'\\") {
            // The escaped character may be a quote.
            3 + escaped[1..].find('\'').map_or(0, |end| end + 1)
        } else if rest.starts_with('\'') && rest.chars().nth(2) == Some('\'') {
            rest.char_indices().nth(3).map_or(rest.len(), |(at, _)| at)
        } else if !rest.starts_with('"') {
            1
        } else {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let raw = before.trim_end_matches('#').ends_with('r');
            let (text, length) = if raw {
                let end = format!("\"{}", "#".repeat(hashes));
                let length = rest[1..].find(&end).expect("ends");
                (rest[1..=length].to_owned(), length + 1 + end.len())
            } else {
                quoted(rest)
            };
            if !before.lines().last().is_some_and(|line| line.trim_start().starts_with("#[")) {
                found.push(shape(&text, is_format(&before)));
            }
            length
        };
        // Only the text right before a literal matters.
        before = rest[..skip].to_owned();
        if !rest.starts_with('"') {
            before = if rest.starts_with("//") { String::new() } else { before };
        }
        rest = &rest[skip..];
    }
    found
}

/// The literal at the beginning of a source, unescaped, and its length in the source.
fn quoted(source: &str) -> (String, usize) {
    let mut text = String::new();
    let mut chars = source.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, at + 1),
            '\\' => match chars.next().expect("escaped").1 {
                '\n' => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
    panic!("unterminated literal")
}

/// Whether the text before a literal makes it a format.
fn is_format(before: &str) -> bool {
    let before = before.trim_end();
    let before = match before.strip_suffix(',') {
        // write!(f, "...")
        Some(first) => first.trim_end_matches(|c: char| c.is_alphanumeric() || "_.&".contains(c)),
        None => before,
    };
    ["format!(", "format_args!(", "write!(", "writeln!(", "println!(", "eprintln!("]
        .iter()
        .any(|end| before.ends_with(end))
}

/// A literal with `{}` for each argument, if it is a format.
fn shape(text: &str, format: bool) -> String {
    let mut shape = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if format && matches!(c, '{' | '}') && chars.next_if_eq(&c).is_none() {
            chars.by_ref().find(|c| *c == '}');
            shape.push_str("{}");
        } else {
            shape.push(c);
        }
    }
    shape
}

/// The lines of a literal, as the catalogue has them. A line that is joined with other text has
/// `{}` in its place.
pub(super) fn sentences(literal: &str) -> Vec<String> {
    let hole = |line: &str| {
        let line = line.strip_prefix("; ").or(line.strip_prefix(": ")).unwrap_or(line);
        let begin = if line.starts_with(' ') && !line.starts_with("  ") { "{}" } else { "" };
        let end = if line.ends_with(' ') { "{}" } else { "" };
        format!("{begin}{line}{end}")
    };
    literal.lines().map(hole).collect()
}

/// Whether a text is a message and not a name or a number: it has two words, or a word and an
/// argument.
pub(super) fn is_prose(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_word = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.chars().all(|c| c.is_ascii_lowercase()) && !word.is_empty()
    };
    words.windows(2).any(|pair| {
        let first = pair[0].trim_end_matches([',', ';', ':', ')', '"']);
        let named = first.chars().any(|c| c.is_ascii_alphabetic()) || first.contains("{}");
        named && (is_word(pair[1]) || pair[1].contains("{}") && is_word(first))
    })
}

#[test]
fn literals_are_found() {
    let source = "let a = format!(\"the {what} of {{x}}\\n{:?}\", 1); // \"no\"\nlet b = '\"'; f(\"one \\\n     two\", r#\"raw \"q\"\"#);\n\
                  #[must_use = \"no literal\"]\nwrite!(out, \"{a} b\")";
    assert_eq!(literals(source), ["the {} of {x}\n{}", "one two", "raw \"q\"", "{} b"]);
    assert_eq!(sentences(" (added)"), ["{} (added)"]);
    assert!(is_prose("it is") && is_prose("the {}") && is_prose("no \"name\" here") && !is_prose("Content-Type: {}"));
}
