//! Maps PHP's exception classes to this crate's error kinds.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::facts::Kind as Stub;
use super::imports::PHP;
use super::value::{Expr, Type};
use super::yours::Use;

/// The error kinds that an exception class corresponds to; `None` for the classes that catch all of
/// them.
pub(super) fn kinds(class: &str) -> Option<Option<&'static [&'static str]>> {
    Some(match class {
        "exception" | "throwable" | "error" => None,
        "runtimeexception" => Some(&[
            "ClientError",
            "ServerError",
            "Redirect",
            "Fail",
            "Verification",
            REJECTED,
            "Transport",
            "Connect",
            "Timeout",
            "Config",
            "Decode",
            "Sign",
            "Sink",
            "TooLarge",
            "Layer",
        ]),
        "guzzlehttp\\exception\\clientexception" => Some(&["ClientError"]),
        "guzzlehttp\\exception\\serverexception" => Some(&["ServerError"]),
        "guzzlehttp\\exception\\badresponseexception" => Some(&["ClientError", "ServerError"]),
        "guzzlehttp\\exception\\toomanyredirectsexception" => Some(&["Redirect"]),
        "guzzlehttp\\exception\\connectexception" => Some(&["Connect", "Timeout"]),
        "guzzlehttp\\exception\\requestexception" => {
            Some(&["ClientError", "ServerError", "Redirect", "Verification", "Transport"])
        }
        // What the SDK rejects for APIv2: a response that reports a failure, or one with an invalid
        // `sign`.
        "guzzlehttp\\promise\\rejectionexception" => Some(&["Fail", REJECTED]),
        "guzzlehttp\\exception\\transferexception" | "guzzlehttp\\exception\\guzzleexception" => {
            Some(&["ClientError", "ServerError", "Redirect", "Verification", "Transport", "Connect", "Timeout"])
        }
        "invalidargumentexception"
        | "logicexception"
        | "wechatpay\\exception\\invalidargumentexception"
        | "wechatpay\\exception\\wechatpayexception" => Some(&["Config", "Path", "Options"]),
        // For an invalid signature of a response, the SDK throws a RequestException since 1.1.
        "unexpectedvalueexception" => Some(&["Config", "Decode", "Sign"]),
        _ => return None,
    })
}

/// A `Verification` of APIv2, which is a `RejectionException` in PHP, and that of APIv3 is a
/// `RequestException`.
pub(super) const REJECTED: &str = "Verification of APIv2";

/// Whether a built-in exception class of PHP is the other class or a subclass of it.
fn is_a(class: &str, caught: &str) -> bool {
    class == caught
        || match caught {
            "runtimeexception" => ["outofbounds", "overflow", "range", "underflow", "unexpectedvalue"]
                .contains(&class.trim_end_matches("exception")),
            "logicexception" => {
                ["badfunctioncall", "badmethodcall", "domain", "invalidargument", "length", "outofrange"]
                    .contains(&class.trim_end_matches("exception"))
            }
            _ => false,
        }
}

/// Why an exception class of the script itself is not converted.
pub(super) const MIXED: &str =
    "the script throws exceptions of this class and of others, which Rust does not tell apart: give them types";

/// Which of the exceptions that the script itself throws are instances of a class.
#[derive(PartialEq)]
pub(super) enum Own {
    All,
    Some,
    None,
}

impl<'t> Porter<'t> {
    /// `$e instanceof Class`
    pub(super) fn instance_of(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Expr {
        let class = self.class(right);
        if kinds(&class).is_some() {
            self.list_unimported(right);
        }
        let e = self.expression(left);
        if !matches!(e.ty, Type::Error | Type::BoxError) {
            return self.left_as(node, "the class of a value that is not an error", Type::Bool);
        }
        match self.kinds_of(&class) {
            Some(None) if class == "throwable" || (class == "exception" && e.ty == Type::Error) => {
                self.constant_of(&[&e], true)
            }
            Some(None) if e.ty == Type::Error => self.constant_of(&[&e], false),
            Some(None) => {
                let fatal = Expr::new(code!("{PHP}::is_fatal(&*{})", e.tight()), Type::Bool);
                if class == "error" { fatal } else { super::operator::negated(&fatal) }
            }
            Some(Some(kinds)) => {
                let own = if e.ty == Type::BoxError { self.of_own(&class) } else { Own::None };
                if own == Own::Some {
                    return self.left_as(node, MIXED, Type::Bool);
                }
                let guard = self.guard(kinds, &[], &e, own == Own::All);
                let mut patterns = self.patterns(kinds, e.ty == Type::BoxError);
                patterns.extend((own == Own::All).then(|| "None".into()));
                let patterns = Code::joined(&patterns, " | ");
                let subject = self.kind_of(&e);
                let guard = guard.map_or_else(Code::default, |guard| code!(" if {guard}"));
                Expr::new(code!("matches!({subject}, {patterns}{guard})"), Type::Bool)
            }
            None => {
                let code = self.caught_by_stub(right, &e.ty, &e.code);
                Expr::new(code, Type::Bool)
            }
        }
    }

    /// The condition of a pattern that takes only one of APIv2's and APIv3's `Verification`. `seen`
    /// are the kinds that earlier patterns take.
    pub(super) fn guard(&mut self, kinds: &[&str], seen: &[&str], e: &Expr, is_mixed: bool) -> Option<Code> {
        let has = |kind: &str| kinds.contains(&kind) || seen.contains(&kind);
        let (v3, v2) = (has("Verification"), has(REJECTED));
        if !self.marks.calls_v2 || v2 == v3 {
            return None;
        }
        let error = if e.ty == Type::BoxError { code!("&*{}", e.tight()) } else { e.reference() };
        let rejected = code!("{PHP}::is_rejection({error})");
        if v3 {
            return Some(code!("!{rejected}"));
        }
        if !is_mixed && kinds.iter().all(|kind| matches!(*kind, "Fail" | REJECTED)) {
            return Some(rejected);
        }
        let subject = self.kind_of(e);
        let kind = Code::joined(&self.patterns(&["Verification"], e.ty == Type::BoxError), " | ");
        Some(code!("{rejected} || {subject} != {kind}"))
    }

    /// Whether an error is of a class that another file defines: a stub tells.
    pub(super) fn caught_by_stub(&mut self, class: Node<'t>, error: &Type, code: &Code) -> Code {
        let found = self.foreign(self.text(class), class.start_byte());
        let (Type::Foreign(owner), Type::BoxError) = (found, error) else {
            return self.note_left(class, "this class of errors is not known here: say which ErrorKind it is");
        };
        let php = format!("instanceof {}", self.text(class));
        let used = Use { kind: Stub::Static, owner: Some(owner), object: Code::default(), name: "is", php };
        let e = Expr::place(code.clone(), Type::BoxError);
        self.stub_returning(class, &used, vec![e], Some(Type::Bool)).code
    }

    /// Likewise, also for the exception classes of the file, which no error of this crate is.
    pub(super) fn kinds_of(&self, class: &str) -> Option<Option<&'static [&'static str]>> {
        match kinds(class) {
            None if self.exceptions.contains_key(class) => Some(Some(&[])),
            found => found,
        }
    }

    /// Whether an exception class is the other one or a subclass of it.
    fn is_kind_of(&self, class: &str, caught: &str) -> bool {
        let short = |name: &str| name.rsplit('\\').next().unwrap_or_default().to_owned();
        let (mut class, caught) = (class.to_owned(), short(caught));
        for _ in 0..16 {
            if is_a(&class, &caught) {
                return true;
            }
            match self.exceptions.iter().find(|(name, _)| short(name) == class) {
                Some((_, parent)) => class = short(parent),
                None => return false,
            }
        }
        false
    }

    /// An exception that the script throws becomes an error of another type than the crate's,
    /// without a class.
    pub(super) fn of_own(&self, class: &str) -> Own {
        let (mut some, mut all) = (false, true);
        for thrown in &self.marks.thrown {
            let is_one = self.is_kind_of(thrown, class);
            (some, all) = (some || is_one, all && is_one);
        }
        match (some, all) {
            (false, _) => Own::None,
            (true, true) => Own::All,
            (true, false) => Own::Some,
        }
    }
}
