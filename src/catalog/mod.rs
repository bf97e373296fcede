//! The catalogue: what the public documentation records about each call of the WeChat Pay OpenAPI.
//!
//! A [`Catalog`] knows the path, the fields and the response of each documented call, and the
//! fields of each notification. It finds calls, searches them, and checks the options of a call.
//! It does no I/O except in [`Catalog::from_path`], and needs no client.
//!
//! ```
//! use serde_json::json;
//! use wechatpay_chain::catalog::Catalog;
//!
//! let catalog = Catalog::builtin();
//! let call = catalog.find("POST", "v3/refund/domestic/refunds").expect("a documented call");
//! assert_eq!(call.title(), "申请退款");
//!
//! let findings = catalog.check("POST", "v3/refund/domestic/refunds", &json!({
//!     "json": {
//!         "out_trade_no": "1217752501201407033233368018",
//!         "out_refund_no": "1217752501201407033233368018",
//!         "amount": { "refund": 100, "totl": 100, "currency": "CNY" },
//!     },
//! }));
//! assert_eq!(findings[0].path(), "json.amount.totl");
//! assert_eq!(findings[0].suggestion(), Some("total"));
//! ```
//!
//! # Limits
//!
//! The tables come from a third party, who copied them from the official pages. "Required" is what
//! those pages state, and not proof of what the service does. A finding is a reason to read the
//! official page, whose address is in [`Call::links`]. A call without findings can still be
//! rejected.

mod call;
mod check;
mod example;
mod field;
pub(crate) mod finding;
pub(crate) mod given;
#[cfg(feature = "cli")]
pub(crate) mod import;
#[cfg(feature = "cli")]
mod page;
mod path;
mod record;
mod search;
mod values;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{LazyLock, OnceLock};

pub use call::{Call, Notification};
pub use field::{Encoding, Field, FieldType, Place, ResponseKind, Section};
pub use finding::{Check, Finding, FindingKind};
use given::Given;
use path::Segment;
use record::HEADER;
use serde_json::Value;

use crate::error::Error;
use crate::proto::template::{TRAILING_SLASH, has_query};

/// The longest file, in bytes.
const MAX_FILE: u64 = 32 << 20;
/// The longest path for which a similar one is suggested, and the most letters that may differ.
const MAX_SHAPE_LEN: usize = 256;
const MAX_EDITS: usize = 4;

/// The documented calls and notifications.
pub struct Catalog {
    calls: Vec<Call>,
    notifications: Vec<Notification>,
    /// The calls by method and path, in which each variable is `{}`.
    shapes: HashMap<String, Vec<usize>>,
    /// The calls by method, number of segments, and the first two segments. A path with values is
    /// compared with one group.
    groups: HashMap<String, Vec<usize>>,
    /// Built at the first search.
    entries: OnceLock<Vec<search::Entry>>,
}

static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| Catalog::index(Cow::Borrowed(include_str!("catalog.txt"))));

impl Catalog {
    /// Returns the catalogue that is part of this version of the crate.
    #[must_use]
    pub fn builtin() -> &'static Catalog {
        &BUILTIN
    }

    /// Reads a catalogue from a file, such as a newer one that `wxpay api import` wrote.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be read or is
    /// not a catalogue. The message names the line.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Catalog, Error> {
        let path = path.as_ref();
        let failed = |error: std::io::Error| {
            Error::config(format!("the catalogue {} cannot be read: {error}", path.display())).with_source(error)
        };
        let mut text = String::new();
        // A device may have no end.
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_FILE {
            return Err(Error::config(format!(
                "the catalogue {} has more than {} MiB, and the documented calls need one",
                path.display(),
                MAX_FILE >> 20
            )));
        }
        Catalog::from_text(text)
    }

    /// Reads a catalogue from its text.
    ///
    /// # Errors
    /// As [`from_path`](Self::from_path).
    pub fn from_text(text: impl Into<String>) -> Result<Catalog, Error> {
        let text = text.into().replace("\r\n", "\n");
        check(&text).map_err(|(line, reason)| Error::config(format!("the catalogue, line {}: {reason}", line + 1)))?;
        Ok(Catalog::index(Cow::Owned(text)))
    }

    /// Splits the text into its records, and reads their first lines.
    fn index(text: Cow<'static, str>) -> Catalog {
        let mut catalog = Catalog {
            calls: Vec::new(),
            notifications: Vec::new(),
            shapes: HashMap::new(),
            groups: HashMap::new(),
            entries: OnceLock::new(),
        };
        match text {
            Cow::Borrowed(text) => records(text).for_each(|(_, record)| catalog.add(Cow::Borrowed(record))),
            Cow::Owned(text) => records(&text).for_each(|(_, record)| catalog.add(Cow::Owned(record.to_owned()))),
        }
        catalog
    }

    fn add(&mut self, record: Cow<'static, str>) {
        if record.split(' ').next() == Some(record::NOTIFICATION) {
            self.notifications.push(Notification::new(record));
            return;
        }
        let call = Call::new(record);
        if let Some(template) = call.template() {
            let segments = path::segments(template);
            let index = self.calls.len();
            self.groups.entry(path::group(call.method_name(), &segments, false)).or_default().push(index);
            self.shapes.entry(path::shape(call.method_name(), &segments)).or_default().push(index);
        }
        self.calls.push(call);
    }

    /// Returns the calls, in the order of their paths.
    pub fn calls(&self) -> impl ExactSizeIterator<Item = &Call> {
        self.calls.iter()
    }

    /// Returns the notifications, in the order of their names.
    pub fn notifications(&self) -> impl ExactSizeIterator<Item = &Notification> {
        self.notifications.iter()
    }

    /// Finds a notification by its event type, such as `COUPON.SEND`, or by its name, such as
    /// `v2/refund-processed`. For an event type that both versions of the API have, the one of
    /// APIv3 is returned.
    #[must_use]
    pub fn notification(&self, event_type: &str) -> Option<&Notification> {
        let by_type = |found: &&Notification| found.event_types().iter().any(|known| known == event_type);
        let by_name = |found: &&Notification| found.name() == event_type;
        let found = self.notifications.iter().rev().find(by_type);
        found.or_else(|| self.notifications.iter().find(by_name))
    }

    /// Searches the calls by their titles, paths and field names, in Chinese and English. The best
    /// match is first. Typing errors are tolerated.
    ///
    /// ```
    /// # use wechatpay_chain::catalog::Catalog;
    /// let found = Catalog::builtin().search("申请退款");
    /// assert_eq!(found[0].template(), Some("v3/refund/domestic/refunds"));
    /// ```
    #[must_use]
    pub fn search(&self, query: &str) -> Vec<&Call> {
        let entries = self.entries.get_or_init(|| self.calls.iter().map(search::Entry::new).collect());
        let query = search::Query::new(query);
        let rated = self.calls.iter().zip(entries).filter_map(|(call, entry)| Some((entry.rate(&query)?, call)));
        let mut rated: Vec<_> = rated.collect();
        rated.sort_by(|a, b| b.0.total_cmp(&a.0));
        rated.into_iter().map(|(_, call)| call).collect()
    }

    /// Finds a call by its method and its path.
    ///
    /// The path is a template with variables as `{x}`, `<x>` or `_x_` (their names do not matter),
    /// a chain such as `v3.pay.transactions.native`, a path with values, or a URL. If a path with
    /// values matches several templates, the one with the fewest variables is returned.
    ///
    /// ```
    /// # use wechatpay_chain::catalog::Catalog;
    /// let catalog = Catalog::builtin();
    /// for path in [
    ///     "v3/pay/transactions/id/{transaction_id}",
    ///     "v3.pay.transactions.id._id_",
    ///     "/v3/pay/transactions/id/1217752501201407033233368018?mchid=1900000109",
    /// ] {
    ///     let call = catalog.find("GET", path).expect(path);
    ///     assert_eq!(call.template(), Some("v3/pay/transactions/id/{transaction_id}"));
    /// }
    /// ```
    #[must_use]
    pub fn find(&self, method: impl AsRef<str>, path: &str) -> Option<&Call> {
        let method = method.as_ref();
        let method: Cow<'_, str> = if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            Cow::Owned(method.to_ascii_uppercase())
        } else {
            Cow::Borrowed(method)
        };
        let mut segments = path::segments(path);
        let is_absolute = path.starts_with('/') || path.contains("://");
        if segments.len() > 1 && matches!(segments.first(), Some(Segment::Text("", _))) {
            segments.remove(0);
        }
        self.find_segments(&method, &segments).or_else(|| {
            // On the wire, a path of APIv2 does not have its version.
            segments.insert(0, Segment::Text("v2", Cow::Borrowed("v2")));
            if is_absolute { self.find_segments(&method, &segments) } else { None }
        })
    }

    fn find_segments(&self, method: &str, segments: &[Segment<'_>]) -> Option<&Call> {
        let same_shape = self.shapes.get(&path::shape(method, segments)).map_or(&[][..], Vec::as_slice);
        let calls = same_shape.iter().filter_map(|index| self.calls.get(*index));
        match calls.clone().find(|call| has_variables(call, segments)) {
            Some(call) => Some(call),
            None => calls.clone().find(|call| fits(call, segments).is_some()).or_else(|| {
                let groups = [false, true].map(|any| self.groups.get(&path::group(method, segments, any)));
                let candidates = groups.into_iter().flatten().flatten().filter_map(|index| self.calls.get(*index));
                let fitting = candidates.filter_map(|call| Some((fits(call, segments)?, call)));
                fitting.min_by_key(|(variables, _)| *variables).map(|(_, call)| call)
            }),
        }
    }
}

impl Call {
    /// Compares the options of this call with its documentation, and returns the differences.
    ///
    /// The options are those that a verb takes, as JSON. The variables of the path have their
    /// documented names. In a raw `body`, nothing is checked.
    #[must_use]
    pub fn check(&self, options: &Value) -> Vec<Finding> {
        check::check(self, None, &Given::from_options(options, &mut Vec::new()))
    }

    /// Returns example options for a verb, with placeholders for the values: with the required
    /// fields, or with all.
    #[must_use]
    pub fn example(&self, all: bool) -> Value {
        example::options(self, all)
    }
}

impl Catalog {
    /// Compares the options of a call with its documentation, and returns the differences. If the
    /// catalogue does not have the call, that is the only finding.
    ///
    /// The path can have any form that [`find`](Self::find) accepts.
    #[must_use]
    pub fn check(&self, method: impl AsRef<str>, path: &str, options: &Value) -> Vec<Finding> {
        self.check_given(method.as_ref(), path, Given::from_options(options, &mut Vec::new())).1
    }

    /// As [`check`](Self::check). `adds_serial`: the client sends the header `Wechatpay-Serial`.
    #[cfg(feature = "cli")]
    pub(crate) fn check_options(
        &self,
        method: impl AsRef<str>,
        path: &str,
        options: &Value,
        adds_serial: bool,
    ) -> Vec<Finding> {
        let mut paths = Vec::new();
        let mut given = Given::from_options(options, &mut paths);
        given.adds_serial = adds_serial;
        self.check_given(method.as_ref(), path, given).1
    }

    /// The call and its findings. A path that is not found as it is can be found with the values of
    /// its variables.
    pub(crate) fn check_given(&self, method: &str, path: &str, mut given: Given<'_>) -> (Option<&Call>, Vec<Finding>) {
        let found = self.find(method, path);
        let expanded = if found.is_none() || has_query(path) { given.expand(path) } else { None };
        if let Some(call) = found {
            return (found, check::check(call, Some(path), &given));
        }
        match expanded.as_deref().and_then(|path| Some((self.find(method, path)?, path))) {
            Some((call, path)) => (Some(call), check::check(call, Some(path), &given)),
            None => (None, vec![self.undocumented(method, path)]),
        }
    }

    /// The finding for a call that the catalogue does not have.
    fn undocumented(&self, method: &str, path: &str) -> Finding {
        let shape = path::shape(method, &path::segments(path));
        let other = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find_map(|method| self.find(method, path));
        let meant = match other {
            Some(call) => Some(call),
            None if shape.len() > MAX_SHAPE_LEN => None,
            None => {
                let rated =
                    self.shapes.iter().map(|(known, calls)| (strsim::damerau_levenshtein(known, &shape), known, calls));
                let best = rated
                    .filter(|(distance, ..)| *distance <= MAX_EDITS)
                    .min_by_key(|(distance, known, _)| (*distance, *known));
                best.and_then(|(.., calls)| self.calls.get(*calls.first()?))
            }
        };
        let kind = FindingKind::UndocumentedCall;
        match meant {
            Some(call) => {
                let meant = format!("{} {}", call.method_name(), call.template().unwrap_or_default());
                Finding::new(kind, "", format!("the call is not documented: did you mean {meant:?}?")).suggesting(meant)
            }
            None => Finding::new(kind, "", "the call is not documented"),
        }
    }
}

/// Whether the variables of a call have the same names as those of a path of the same shape.
fn has_variables(call: &Call, segments: &[Segment<'_>]) -> bool {
    let template = path::segments(call.template().unwrap_or_default());
    template.iter().zip(segments).all(|pair| match pair {
        (Segment::Variable(documented), Segment::Variable(given)) => documented == given,
        _ => true,
    })
}

/// How many variables of a call's template stand for values in a path; `None` if the path is
/// another one.
fn fits(call: &Call, segments: &[Segment<'_>]) -> Option<usize> {
    let mut variables = 0;
    let mut template = call.template()?.split('/');
    for segment in segments {
        let documented = template.next()?;
        let variable = documented.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        match (variable, segment) {
            // `{empty}` at the end is nothing, and any other variable has a value.
            (Some(name), Segment::Text("", _)) if TRAILING_SLASH.contains(&name) => {}
            (Some(_), Segment::Text("", _)) => return None,
            (Some(name), _) if TRAILING_SLASH.contains(&name) => return None,
            (Some(name), segment) => {
                let values = fixed_values(call, name);
                match segment {
                    _ if values.is_empty() => {}
                    Segment::Text(text, _) if values.contains(&path::decoded(text)) => {}
                    _ => return None,
                }
                variables += 1;
            }
            (None, Segment::Text(text, name)) if documented == *text || documented == name => {}
            (None, _) => return None,
        }
    }
    template.next().is_none().then_some(variables)
}

/// The listed values of a variable of the path.
fn fixed_values<'a>(call: &'a Call, name: &str) -> &'a [String] {
    call.fields(Place::Path).iter().find(|field| field.name == name).map_or(&[], |field| &field.values)
}

/// The records of a catalogue, each with the number of its first line, counted from 0.
fn records(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut line = 0;
    text.split("\n\n").filter_map(move |block| {
        let start = line;
        line += block.matches('\n').count() + 2;
        // A comment is a block of its own.
        let record = block.trim_matches('\n');
        let is_record = !record.is_empty() && !record.starts_with('#');
        is_record.then_some((start + block.len() - block.trim_start_matches('\n').len(), record))
    })
}

/// Checks a text from outside. The error has the number of the line, counted from 0.
fn check(text: &str) -> Result<(), (usize, String)> {
    if text.lines().next() != Some(HEADER) {
        return Err((0, format!("the first line of a catalogue is {HEADER:?}")));
    }
    let is_forbidden = |c: char| c.is_control() && c != '\n';
    if let Some((at, c)) = text.char_indices().find(|(_, c)| is_forbidden(*c)) {
        let line = text.get(..at).map_or(0, |before| before.matches('\n').count());
        return Err((line, format!("the control character {c:?} is not allowed")));
    }
    let mut is_empty = true;
    for (line, record) in records(text) {
        record::check_head(record.lines().next().unwrap_or_default()).map_err(|reason| (line, reason.to_owned()))?;
        record::details(record).map_err(|(offset, reason)| (line + offset, reason))?;
        is_empty = false;
    }
    if is_empty { Err((0, "the catalogue has no calls".to_owned())) } else { Ok(()) }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("calls", &self.calls.len())
            .field("notifications", &self.notifications.len())
            .finish()
    }
}
