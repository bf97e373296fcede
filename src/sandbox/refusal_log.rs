//! The log of refused signatures on standard error: what was expected and what was signed, side by
//! side. It also has the warnings of a lenient sandbox.

use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::dispatch::{RefusedSignature, Warning};

/// How many lines of a message are shown.
const MAX_LINES: usize = 40;
/// How many explanations can wait to be written; more are dropped.
const MAX_WAITING: usize = 64;

pub(super) struct RefusalLog {
    texts: SyncSender<String>,
    /// Translates a sentence.
    translate: fn(&str) -> String,
}

impl RefusalLog {
    /// Starts the thread that writes. It is a thread of its own because writing to standard error
    /// can block.
    pub(super) fn start(translate: fn(&str) -> String) -> Self {
        let (texts, receiver) = sync_channel::<String>(MAX_WAITING);
        // Without the thread nothing is logged, which is no reason to fail.
        let _ = thread::Builder::new().name("wechatpay-sandbox-log".to_owned()).spawn(move || {
            for text in receiver {
                let _ = std::io::stderr().write_all(text.as_bytes());
            }
        });
        RefusalLog { texts, translate }
    }

    /// Explains a refused signature. The explanation is dropped when too many are waiting.
    pub(super) fn write(&self, refused: &RefusedSignature) {
        let _ = self.texts.try_send(self.explain(refused));
    }

    /// Prints how a request differs from the documentation.
    pub(super) fn warn(&self, Warning { request_line, findings }: &Warning) {
        let translate = self.translate;
        let mut text = translate(&format!("warning: {}", printable(request_line, 200)));
        for finding in findings.iter().take(MAX_LINES) {
            text.push_str(&format!("\n  {}", translate(&printable(finding, 500))));
        }
        let _ = self.texts.try_send(text + "\n");
    }

    fn explain(&self, RefusedSignature { request_line, check }: &RefusedSignature) -> String {
        let translate = self.translate;
        let heading = translate(&format!("refused: {}", printable(request_line, 200)));
        let reason = translate(&printable(&check.reason, 500));
        let columns = translate("  expected                                           | signed");
        let mut text = format!("{heading}\n  {reason}\n{columns}\n");
        let signed = if check.signed.is_empty() { "?" } else { check.signed.as_str() };
        let (mut expected, mut signed) = (check.expected.lines(), signed.lines());
        for _ in 0..MAX_LINES {
            let (left, right) = (expected.next(), signed.next());
            if left.is_none() && right.is_none() {
                break;
            }
            let short = |line: Option<&str>| printable(line.unwrap_or_default(), 50);
            let mark = if left == right || check.signed.is_empty() { ' ' } else { '>' };
            text.push_str(&format!("{mark} {:<50} | {}\n", short(left), short(right)));
        }
        text
    }
}

/// The beginning of a text without control characters, which could move the cursor of a terminal.
fn printable(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
