//! Property: random secrets and personal values flow through calls, notifications and settings, and
//! no part of them is in an error, in the `Debug` output of a public type, or in an event.
//! `secret_calls` has the flows, and `secret_forms` the forms in which a value is found.

use std::collections::BTreeSet;
use std::sync::Mutex;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tracing_subscriber::fmt::format::FmtSpan;
use wechatpay_chain::Options;
use wechatpay_chain::sandbox::{MCHID, Sandbox};

use super::secret_calls::{apiv2, calls, faults, notifications, others, responses, settings};
use super::secret_forms::{Shown, ascii, personal};
use crate::docs::sources;
use crate::support::{SharedBuffer, run_in_new_process};

/// The values of one case.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) body: String,
    pub(super) query: String,
    pub(super) variable: String,
    pub(super) response: String,
    pub(super) sensitive: String,
    pub(super) notification: String,
    pub(super) header: String,
    pub(super) password: String,
    pub(super) apiv3_key: String,
    pub(super) apiv2_key: String,
}

impl Values {
    fn any() -> impl Strategy<Value = Values> {
        let texts = (personal(), personal(), personal(), personal(), personal(), personal());
        (texts, ascii(40), ascii(24), ascii(32), ascii(32)).prop_map(
            |(texts, header, password, apiv3_key, apiv2_key)| {
                let (body, query, variable, response, sensitive, notification) = texts;
                Values {
                    body,
                    query,
                    variable,
                    response,
                    sensitive,
                    notification,
                    header,
                    password,
                    apiv3_key,
                    apiv2_key,
                }
            },
        )
    }

    fn named(&self) -> Vec<(&'static str, String)> {
        [
            ("a value of a request body", &self.body),
            ("a value of a query", &self.query),
            ("a value of a path variable", &self.variable),
            ("a value of a response", &self.response),
            ("a sensitive field", &self.sensitive),
            ("a value of a notification", &self.notification),
            ("a header", &self.header),
            ("a password", &self.password),
            ("the APIv3 key", &self.apiv3_key),
            ("the APIv2 key", &self.apiv2_key),
        ]
        .map(|(name, value)| (name, value.clone()))
        .into()
    }

    /// A body with the value under names that are documented and others.
    pub(super) fn body(&self, value: &str) -> Value {
        json!({
            "mchid": MCHID, "description": value, "payer": { "openid": value, "list": [value, { "x": value }] },
            "name": value, "amount": { "total": value },
        })
    }

    pub(super) fn options(&self) -> Options {
        Options::new()
            .var("id", self.variable.as_str())
            .query(&json!({ "q": self.query, "openid": self.query }))
            .json(&self.body(&self.body))
            .header("X-Personal", &self.header)
    }
}

/// The public types whose `Debug` output contains only documented or public text, with the reason.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("catalog::Catalog", "text of the public documentation"),
    ("catalog::call::Call", "text of the public documentation"),
    ("catalog::call::Notification", "text of the public documentation"),
    ("catalog::field::Encoding", "names without values"),
    ("catalog::field::Field", "text of the public documentation"),
    ("catalog::field::FieldType", "names without values"),
    ("catalog::field::Place", "names without values"),
    ("catalog::field::ResponseKind", "names without values"),
    ("catalog::field::Section", "text of the public documentation"),
    ("catalog::finding::Check", "names without values"),
    ("catalog::finding::FindingKind", "names without values"),
    ("client::chain::Path", "text of the program, for the macro chain!"),
    ("php::Fatal", "the message that a ported program gives"),
    ("store::Claim", "the value that the caller of the store gave it"),
    ("store::postgres::PostgresStore", "needs a server; shows the name of the table"),
    ("store::redis::RedisStore", "needs a server; shows the prefix of the keys"),
];

/// The paths of the public types that implement `Debug`, from the sources.
fn types_with_debug() -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for (path, text) in sources("src") {
        let path = path.trim_start_matches("src/").trim_end_matches(".rs");
        if ["cli/", "port/", "dev/"].iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let module = path.trim_end_matches("/mod").replace('/', "::");
        let mut attributes = String::new();
        for line in text.lines() {
            if line.starts_with("#[") || line.starts_with("///") {
                attributes += line;
                continue;
            }
            let declared = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum "));
            if let Some(declared) = declared {
                let end = declared.find(|c: char| !c.is_alphanumeric()).unwrap_or(declared.len());
                let name = &declared[..end];
                let implements = text.lines().any(|line| {
                    line.starts_with("impl") && line.contains("Debug for ") && {
                        let of = line.split("Debug for ").nth(1).unwrap_or_default();
                        of.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
                    }
                });
                if implements || attributes.contains("Debug") {
                    types.insert(format!("{module}::{name}"));
                }
            }
            attributes.clear();
        }
    }
    types
}

/// The names of the kinds of errors, from the sources.
fn error_kinds() -> BTreeSet<String> {
    let (_, text) = sources("src").into_iter().find(|(path, _)| path == "src/proto/error_kind.rs").expect("the file");
    let body = text.split("pub enum ErrorKind {").nth(1).expect("the type").split("\n}").next().expect("its end");
    let variants = body.lines().filter_map(|line| line.trim().strip_suffix(','));
    variants.filter(|name| name.chars().all(char::is_alphanumeric)).map(str::to_owned).collect()
}

/// In a new process, whose events one subscriber receives from all threads.
#[test]
fn no_part_of_a_secret_or_of_a_personal_value_is_shown() {
    run_in_new_process("call::secret_flows::flows_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn flows_in_this_process() {
    let log = SharedBuffer::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
    let sandbox = Sandbox::builder().notify_anywhere().start().expect("a sandbox");
    let seen = Mutex::new((BTreeSet::new(), BTreeSet::new()));
    let config = Config { cases: 6, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&Values::any(), |values| {
        let logged = log.bytes().len();
        let mut shown = Shown::default();
        settings(&mut shown, &sandbox, &values);
        calls(&mut shown, &sandbox, &values);
        faults(&mut shown, &sandbox, &values);
        responses(&mut shown, &sandbox, &values);
        apiv2(&mut shown, &sandbox, &values);
        notifications(&mut shown, &sandbox, &values);
        others(&mut shown, &sandbox, &values);
        shown.text += &String::from_utf8_lossy(&log.bytes()[logged..]);
        let mut secrets = values.named();
        let settings = sandbox.settings();
        for name in ["secret", "apiv3_key"] {
            secrets.push((name, settings[name].as_str().expect("text").to_owned()));
        }
        secrets.extend(key_lines(&settings).map(|line| ("a private key", line)));
        let leaks = shown.leaks(&secrets);
        let mut seen = seen.lock().expect("no panic before");
        seen.0.append(&mut shown.types);
        seen.1.append(&mut shown.kinds);
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
        Ok(())
    });
    result.expect("nothing is shown");
    let (types, kinds) = seen.into_inner().expect("no panic");
    let not_shown: BTreeSet<String> = NOT_SHOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let all = types_with_debug();
    assert!(all.len() > 40, "{all:?}");
    let forgotten: Vec<_> = all.iter().filter(|name| !types.contains(*name) && !not_shown.contains(*name)).collect();
    assert!(forgotten.is_empty(), "types that no flow shows: {forgotten:?}");
    let unused: Vec<_> = not_shown.iter().filter(|name| !all.contains(*name) || types.contains(*name)).collect();
    assert!(unused.is_empty(), "shown, or without Debug: {unused:?}");
    let events = String::from_utf8(log.bytes()).expect("text");
    for event in
        ["wechatpay.call", "a response failed verification", "a notification was refused", "the call is retried"]
    {
        assert!(events.contains(event), "no event {event:?}");
    }
    assert_eq!(kinds, error_kinds());
}

/// The lines of the merchant's private key.
fn key_lines(settings: &Value) -> impl Iterator<Item = String> {
    let pem = settings["privateKey"].as_str().expect("pem").to_owned();
    let lines: Vec<String> = pem.lines().filter(|line| line.len() > 40).map(str::to_owned).collect();
    lines.into_iter()
}
