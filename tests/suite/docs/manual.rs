//! The manual: pages in both languages have the same code, links work, pages are complete, Rust
//! examples run and PHP examples are valid.
//!
//! The Rust of a page in `src/dev/manual.rs` is a doctest. The examples of the pages in
//! [`FROM_TESTS`] are too short for that. They are copied line by line from tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{read, root};

/// The base URL of the README's links. They are absolute, because registries show the README
/// without the repository.
const REPOSITORY: &str = "https://github.com/wechatpay-chain/wechatpay-chain/blob/main/";

/// Pages whose examples are copied from a test, with that test.
const FROM_TESTS: [(&str, &str); 2] =
    [("porting", include_str!("manual_porting.rs")), ("options", include_str!("manual_options.rs"))];

/// Other documents in both languages.
const OTHERS: [&str; 4] = ["README", "docs/SANDBOX", "docs/SECURITY", "docs/VERSIONS"];

/// The pages of the manual by name, without the index.
fn pages() -> Vec<String> {
    let folder = fs::read_dir(root().join("docs/manual")).expect("the manual");
    let names = folder.map(|entry| entry.expect("entry").file_name().into_string().expect("a name"));
    let mut pages: Vec<_> = names
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| !name.ends_with(".zh-CN") && name != "README")
        .collect();
    pages.sort();
    pages
}

fn page(name: &str) -> String {
    read(&root().join(format!("docs/manual/{name}.md")))
}

/// Each document in English and in Chinese.
fn language_pairs() -> Vec<(PathBuf, PathBuf)> {
    let manual = pages().into_iter().chain(["README".to_owned()]).map(|name| format!("docs/manual/{name}"));
    let all = manual.chain(OTHERS.map(str::to_owned));
    all.map(|name| {
        let chinese = if name == "README" { "docs/README".to_owned() } else { name.clone() };
        (root().join(format!("{name}.md")), root().join(format!("{chinese}.zh-CN.md")))
    })
    .filter(|(english, chinese)| {
        // Other documents are checked once they are translated.
        chinese.exists() || english.starts_with(root().join("docs/manual"))
    })
    .collect()
}

/// A code block in a page.
struct Block {
    /// The text after the three backticks, such as `rust,no_run`.
    info: String,
    code: String,
    line: usize,
}

impl Block {
    fn language(&self) -> &str {
        self.info.split(',').next().unwrap_or_default()
    }
}

/// The blocks of a page, and its text without them.
fn split(text: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose, mut open) = (Vec::<Block>::new(), String::new(), false);
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => {
                open = true;
                blocks.push(Block { info: info.to_owned(), code: String::new(), line: number + 1 });
            }
            (Some(_), true) => open = false,
            (None, true) => blocks.last_mut().expect("an open block").code.extend([line, "\n"]),
            (None, false) => prose.extend([line, "\n"]),
        }
    }
    assert!(!open, "a block is not closed");
    (blocks, prose)
}

/// The code without its comments, which are translated.
fn without_comments(block: &Block) -> Vec<String> {
    let mark = match block.language() {
        "rust" | "php" | "json" => "//",
        "sh" | "toml" => "#",
        _ => return block.code.lines().map(str::to_owned).collect(),
    };
    let cut = |line: &str| {
        if line.trim_start().starts_with(mark) && !line.trim_start().starts_with("#[") {
            return String::new();
        }
        line.split(&format!(" {mark} ")).next().unwrap_or_default().trim_end().to_owned()
    };
    block.code.lines().map(cut).filter(|line| !line.is_empty()).collect()
}

fn headings(prose: &str) -> Vec<&str> {
    prose.lines().filter(|line| line.starts_with('#')).collect()
}

/// The anchors of the headings, in lower case, without punctuation, and with hyphens for spaces.
fn anchors(prose: &str) -> BTreeSet<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let headings = headings(prose).into_iter().map(|heading| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let slug: String = text
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let times = seen.entry(slug.clone()).or_default();
        *times += 1;
        if *times == 1 { slug } else { format!("{slug}-{}", *times - 1) }
    });
    let mut anchors: BTreeSet<_> = headings.collect();
    anchors.extend(prose.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    anchors
}

/// The targets of the links in a page.
fn links(prose: &str) -> Vec<String> {
    // Text in backticks is not a link.
    let text: String = prose.lines().flat_map(|line| line.split('`').step_by(2).chain(["\n"])).collect();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.chain(text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next())).map(str::to_owned).collect()
}

#[test]
fn both_languages_have_the_same_code_and_headings() {
    for (english, chinese) in language_pairs() {
        let ((blocks, prose), (chinese_blocks, chinese_prose)) = (split(&read(&english)), split(&read(&chinese)));
        let levels = |prose: &str| {
            headings(prose).iter().map(|heading| heading.split(' ').next().map(str::len)).collect::<Vec<_>>()
        };
        assert_eq!(levels(&prose), levels(&chinese_prose), "the headings of {}", chinese.display());
        let rows = |prose: &str| prose.lines().filter(|line| line.starts_with('|') || line.contains("<tr>")).count();
        assert_eq!(rows(&prose), rows(&chinese_prose), "the rows of the tables of {}", chinese.display());
        assert_eq!(blocks.len(), chinese_blocks.len(), "the blocks of {}", chinese.display());
        for (block, translated) in blocks.iter().zip(&chinese_blocks) {
            let position = format!("{}, line {}", chinese.display(), translated.line);
            assert_eq!(block.info, translated.info, "{position}");
            assert_eq!(without_comments(block), without_comments(translated), "{position}");
        }
        // Links go to the same pages in both languages.
        let pages = |prose: &str| {
            let files = links(prose).into_iter().filter_map(|link| link.split('#').next().map(str::to_owned));
            files.map(|file| file.replace(".zh-CN", "").replace("../../README.md", "../README.md")).collect::<Vec<_>>()
        };
        if english.starts_with(root().join("docs/manual")) && !english.ends_with("README.md") {
            assert_eq!(pages(&prose), pages(&chinese_prose), "the links of {}", chinese.display());
        }
    }
}

#[test]
fn pages_link_to_the_other_language_and_to_the_next_page() {
    let index = page("README");
    let order: Vec<_> = links(&split(&index).1).into_iter().filter(|link| !link.ends_with(".zh-CN.md")).collect();
    for name in pages() {
        for (suffix, other) in [("", ".zh-CN"), (".zh-CN", "")] {
            let file = format!("{name}{suffix}.md");
            let text = read(&root().join("docs/manual").join(&file));
            let head: String = text.lines().take(4).collect();
            assert!(
                head.contains(&format!("({name}{other}.md)")),
                "{file} does not link to the other language at the top"
            );
            let at = order.iter().position(|link| *link == format!("{name}.md"));
            let at = at.unwrap_or_else(|| panic!("the index does not link to {name}"));
            // The next page may be a document that is not translated.
            let next = order.get(at + 1).map_or("README.md".to_owned(), Clone::clone);
            let next = next.strip_suffix(".md").expect("a page");
            let foot = text.trim_end().lines().next_back().unwrap_or_default();
            let links_to = |suffix: &str| foot.contains(&format!("({next}{suffix}.md)"));
            assert!(
                links_to(suffix) || next.starts_with("..") && links_to(""),
                "{file} does not end with a link to {next}"
            );
        }
    }
}

#[test]
fn links_have_a_target() {
    let contents = |path: &Path| split(&read(path)).1;
    for page in language_pairs().into_iter().flat_map(|(english, chinese)| [english, chinese]) {
        for link in links(&contents(&page)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file.strip_prefix(REPOSITORY) {
                Some(file) => root().join(file),
                None if link.contains("://") => continue,
                None if file.is_empty() => page.clone(),
                None => page.parent().expect("a folder").join(file),
            };
            assert!(target.exists(), "{} links to {link}, which does not exist", page.display());
            let is_known = anchor.is_empty() || anchors(&contents(&target)).contains(anchor);
            assert!(is_known, "{} links to {link}, and there is no such heading", page.display());
        }
    }
}

#[test]
fn links_of_the_readme_are_absolute() {
    let found = links(&split(&read(&root().join("README.md"))).1);
    assert!(found.iter().filter(|link| link.starts_with(REPOSITORY)).count() > 15, "{found:?}");
    let relative: Vec<_> = found.iter().filter(|link| !link.contains("://")).collect();
    assert!(relative.is_empty(), "{relative:?}");
}

#[test]
fn every_rust_example_is_run() {
    let doctests = read(&root().join("src/dev/manual.rs"));
    for name in pages() {
        let (blocks, _) = split(&page(&name));
        let rust: Vec<_> = blocks.iter().filter(|block| block.language() == "rust").collect();
        let test = FROM_TESTS.iter().find(|(page, _)| *page == name);
        let is_doctest = doctests.contains(&format!("docs/manual/{name}.md"));
        match test {
            None => assert!(is_doctest || rust.is_empty(), "{name} has Rust, and is not in src/dev/manual.rs"),
            Some((_, source)) => {
                assert!(!is_doctest, "{name} is both a doctest and copied from a test");
                for block in rust {
                    assert_eq!(block.info, "rust", "{name}, line {}", block.line);
                    assert!(
                        is_copied(&block.code, source),
                        "{name}, line {}: not in tests/suite/docs/manual_{name}.rs:\n{}",
                        block.line,
                        block.code
                    );
                }
            }
        }
        for block in blocks.iter().filter(|block| block.info.contains("ignore")) {
            // This example needs crates that this one does not depend on. It must be equal to a
            // file of another package.
            let is_run = block.code == read(&root().join("tests/otel/src/install.rs"));
            assert!(is_run, "{name}, line {}: an example is ignored", block.line);
        }
    }
}

/// Whether these lines are in the source, one after the other and with the same indentation.
fn is_copied(code: &str, source: &str) -> bool {
    let (code, source): (Vec<_>, Vec<_>) = (code.lines().collect(), source.lines().collect());
    let first = code.first().copied().unwrap_or_default();
    source.windows(code.len()).any(|lines| {
        let Some(indent) = lines[0].strip_suffix(first).filter(|indent| indent.trim().is_empty()) else { return false };
        lines.iter().zip(&code).all(|(line, code)| {
            if code.is_empty() { line.is_empty() } else { line.strip_prefix(indent) == Some(*code) }
        })
    })
}

#[test]
fn every_php_example_is_valid() {
    if Command::new("php").arg("-v").output().is_err() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no php to check the manual's PHP with (apt-get install php-cli)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for name in pages() {
        let (blocks, _) = split(&page(&name));
        for block in blocks.iter().filter(|block| block.language() == "php") {
            let file = folder.path().join("block.php");
            fs::write(&file, format!("<?php\n{}", block.code)).expect("a file");
            let checked = Command::new("php").arg("-l").arg(&file).output().expect("php");
            let message = String::from_utf8_lossy(&checked.stdout);
            assert!(checked.status.success(), "{name}, line {}: {message}", block.line);
        }
    }
}

/// The names in the first column of the table under a heading.
fn first_column(text: &str, heading: &str) -> Vec<String> {
    let section = text.split(heading).nth(1).unwrap_or_else(|| panic!("no {heading:?}"));
    let rows = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn the_pages_on_options_and_errors_are_complete() {
    let options = first_column(&page("options"), "\n## All options\n");
    assert!(options.len() > 15, "{options:?}");
    let errors = read(&root().join("src/proto/error_kind.rs"));
    let errors = errors.split("pub enum ErrorKind {").nth(1).and_then(|rest| rest.split("\n}").next()).expect("kinds");
    let is_kind = |line: &&str| !line.starts_with("//") && line.ends_with(',');
    let errors: Vec<_> = errors.lines().map(str::trim).filter(is_kind).map(|line| line.trim_matches(',')).collect();
    assert!(errors.len() > 15, "{errors:?}");
    let settings = read(&root().join("src/client/builder.rs"));
    let settings = settings.lines().filter_map(|line| line.strip_prefix("    pub fn ")?.split(['(', '<']).next());
    let settings: Vec<_> = settings.collect();
    assert!(settings.len() > 15, "{settings:?}");
    let keys = read(&root().join("src/options/keys.rs"));
    let elsewhere =
        keys.split("REJECTED: ").nth(1).and_then(|rest| rest.split("\n];").next()).expect("Guzzle's options");
    let elsewhere = elsewhere.lines().map(|line| line.trim_start_matches([' ', '(']));
    let elsewhere = elsewhere.filter_map(|line| line.strip_prefix('"')?.split('"').next());
    let elsewhere: Vec<_> = elsewhere.filter(|name| !name.contains(' ')).collect();
    assert!(elsewhere.len() > 15, "{elsewhere:?}");
    for suffix in ["", ".zh-CN"] {
        let (options_page, errors_page) = (page(&format!("options{suffix}")), page(&format!("errors{suffix}")));
        for option in &options {
            assert!(options_page.contains(&format!("### `{option}`")), "options{suffix} has no heading for {option}");
        }
        for name in settings.iter().chain(&elsewhere) {
            assert!(options_page.contains(&format!("`{name}`")), "options{suffix} does not name {name}");
        }
        for kind in &errors {
            assert!(errors_page.contains(&format!("`{kind}`")), "errors{suffix} does not name {kind}");
        }
    }
}

/// The parts of PHP code that uses the SDK. The page on porting must contain them.
const PHP: &str = "Builder::factory ->v3->pay->transactions ->_card_id_ ->{'{card_id}'} ->chain( ['v3/ ->get( ->put( ->post( \
    ->patch( ->delete( ->postAsync( ->getAsync( ->then( ->otherwise( ->wait( getDriver() ->select( ->request( \
    ->requestAsync( getStatusCode() getBody() getHeaderLine( 'json' 'query' 'headers' 'body' 'xml' 'form_params' \
    'multipart' 'sink' 'timeout' 'connect_timeout' 'base_uri' 'allow_redirects' 'http_errors' 'debug' 'proxy' \
    'security' 'nonceless' 'signer' 'verifier' Middleware::mapRequest Middleware::mapResponse statements sign_type \
    Rsa::from( Rsa::fromPkcs1 Rsa::fromPkcs8 Rsa::fromSpki Rsa::pkcs1ToSpki Rsa::sign Rsa::verify Rsa::encrypt \
    Rsa::decrypt private.pkcs8:// AesGcm::encrypt AesGcm::decrypt AesEcb::encrypt AesEcb::decrypt Hash::md5 \
    Hash::hmac Hash::sign Hash::equals Formatter::nonce Formatter::timestamp Formatter::authorization \
    Formatter::request Formatter::response Formatter::joinedByLineFeed Formatter::ksort Formatter::queryStringLike \
    Transformer::toArray Transformer::toXml Transformer::sanitize MediaUtil getStream() getContentType() setMeta( \
    PemUtil::loadCertificate PemUtil::parseCertificateSerialNo PemUtil::loadPrivateKey CertificateDownloader \
    InvalidArgumentException UnexpectedValueException ConnectException BadResponseException \
    TooManyRedirectsException RequestException";

#[test]
fn the_page_on_porting_covers_the_php_sdk() {
    let (blocks, _) = split(&page("porting"));
    let left = blocks.iter().filter(|block| block.language() != "rust").map(|block| block.code.as_str());
    let left: String = left.collect();
    for call in PHP.split_whitespace() {
        assert!(left.contains(call), "{call}");
    }
}

/// The commands of `wxpay`, from the enum of its arguments.
fn commands() -> Vec<String> {
    let arguments = read(&root().join("src/cli/args.rs"));
    let commands =
        arguments.split("enum Command {").nth(1).and_then(|rest| rest.split("\n}").next()).expect("commands");
    let names = commands.lines().filter_map(|line| line.trim().split_once('(').map(|(name, _)| name));
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic())).map(str::to_lowercase).collect()
}

#[test]
fn the_page_on_the_command_line_names_every_command() {
    let commands = commands();
    assert!(commands.len() > 3, "{commands:?}");
    for suffix in ["", ".zh-CN"] {
        let text = page(&format!("command-line{suffix}"));
        for command in &commands {
            assert!(text.contains(&format!("wxpay {command}")), "command-line{suffix} does not name wxpay {command}");
        }
    }
}
