//! `wxpay sandbox logs`: prints the calls and the notifications of a running sandbox.

use std::collections::HashMap;
use std::io::Write;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::failure::Failure;
use super::{output, translate};
use crate::sandbox::MAX_FOLLOWED_CALLS;

/// How often the sandbox is asked for news.
const POLL_INTERVAL: Duration = Duration::from_millis(300);
/// An upper limit for the duration of an attempt to deliver a notification.
const MAX_ATTEMPT_MILLISECONDS: u64 = 60_000;

/// The options of `wxpay sandbox logs`.
#[derive(clap::Args)]
pub(super) struct SandboxLogs {
    /// Print only lines whose path, URL or event contains this text
    #[arg(value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Print only calls
    #[arg(long, conflicts_with = "notifications")]
    pub(super) calls: bool,
    /// Print only notifications
    #[arg(long)]
    pub(super) notifications: bool,
    /// Print only refused calls, calls with a warning, and attempts that failed
    #[arg(long)]
    pub(super) failed: bool,
    /// Print each entry as one line of JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print what there is, and end
    #[arg(long)]
    pub(super) no_follow: bool,
}

/// Prints the calls and notifications in the responses of `state`: once, or until the sandbox
/// stops. `state` requests the state of the sandbox with a query.
pub(super) fn run(
    arguments: &SandboxLogs,
    mut state: impl FnMut(&str) -> Result<Option<Value>, Failure>,
) -> Result<(), Failure> {
    let mut printed = Printed::default();
    let mut query = String::new();
    // `None`: the sandbox has stopped.
    while let Some(state) = state(&query)? {
        let missed = printed.missed(&state);
        if missed > 0 && !query.is_empty() {
            output::note(&format!("the sandbox removed {missed} calls from its log before they could be printed"));
        }
        let mut text = String::new();
        for entry in printed.new_entries(&state).iter().filter(|entry| is_selected(arguments, entry)) {
            text += &if arguments.json { format!("{entry}\n") } else { line(entry) };
        }
        let mut out = std::io::stdout();
        output::check(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
        if arguments.no_follow {
            break;
        }
        query = printed.query();
        // After a full response, the sandbox has more calls.
        if state["calls"].as_array().is_none_or(|calls| calls.len() < MAX_FOLLOWED_CALLS) {
            thread::sleep(POLL_INTERVAL);
        }
    }
    Ok(())
}

/// The entries that were printed.
#[derive(Default)]
struct Printed {
    /// The number of the last call.
    call: u64,
    /// The number of attempts of each notification, by ID.
    attempts: HashMap<String, usize>,
    /// The time at which the last attempt began, in milliseconds since 1970.
    attempted_at: u64,
}

impl Printed {
    /// The query for the entries that are not printed yet. An attempt is logged when it ends, so
    /// that one which began earlier can be logged later.
    fn query(&self) -> String {
        let since = self.attempted_at.saturating_sub(MAX_ATTEMPT_MILLISECONDS);
        format!("?after={}&attempted_since={since}", self.call)
    }

    /// The number of calls between the printed ones and those of `state`.
    fn missed(&self, state: &Value) -> u64 {
        let oldest = state["calls"].as_array().and_then(|calls| calls.last());
        oldest.and_then(|call| call["number"].as_u64()).map_or(0, |number| number.saturating_sub(self.call + 1))
    }

    /// The calls, and the attempts to deliver notifications, that are not printed yet, in order.
    fn new_entries(&mut self, state: &Value) -> Vec<Value> {
        let list = |name: &str| state[name].as_array().map_or(&[][..], Vec::as_slice).iter().rev();
        let mut entries = Vec::new();
        for call in list("calls") {
            let number = call["number"].as_u64().unwrap_or_default();
            if number > self.call {
                self.call = number;
                let mut entry = call.clone();
                entry["kind"] = "call".into();
                entries.push(entry);
            }
        }
        for notification in list("notifications") {
            let id = notification["id"].as_str().unwrap_or_default();
            let attempts = notification["attempts"].as_array().map_or(&[][..], Vec::as_slice);
            let done = self.attempts.insert(id.to_owned(), attempts.len()).unwrap_or_default();
            for attempt in attempts.iter().skip(done) {
                self.attempted_at = self.attempted_at.max(attempt["at"].as_u64().unwrap_or_default());
                entries.push(json!({
                    "kind": "notification", "id": id, "event_type": notification["message"]["event_type"],
                    "url": notification["url"], "status": attempt["status"], "response": attempt["response"],
                    "outcome": notification["outcome"],
                }));
            }
        }
        entries
    }
}

fn is_selected(arguments: &SandboxLogs, entry: &Value) -> bool {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let is_call = text("kind") == "call";
    let failed = if is_call {
        entry["status"].as_u64().is_none_or(|status| status >= 400)
            || entry["findings"].as_array().is_some_and(|findings| !findings.is_empty())
    } else {
        entry["outcome"] != "delivered"
    };
    let contains =
        |part: &String| [text("target"), text("url"), text("event_type")].iter().any(|text| text.contains(part));
    (!arguments.calls || is_call)
        && (!arguments.notifications || !is_call)
        && (!arguments.failed || failed)
        && arguments.filter.as_ref().is_none_or(contains)
}

/// An entry for people.
fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let status = entry["status"].as_u64().map_or_else(|| "-".to_owned(), |status| status.to_string());
    let mut line = if text("kind") == "call" {
        format!("{:>5}  {status}  {} {}\n", entry["number"], text("method"), text("target"))
    } else {
        let outcome = translate::message(text("outcome"));
        format!("    >  {status}  {} -> {} ({outcome})\n", text("event_type"), text("url"))
    };
    let findings = entry["findings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for reason in [text("reason")].into_iter().filter(|reason| !reason.is_empty()).chain(findings) {
        line += &format!("            {}\n", translate::message(reason));
    }
    // Text of a request could move the cursor of a terminal.
    line.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
