//! The results of `wxpay doctor`, and their two forms: lines for people, JSON for programs.

use std::fmt::Display;
use std::io;

use serde_json::{Value, json};

use super::failure::Failure;
use super::{output, translate};

/// The widths of the first two columns.
const OUTCOME_WIDTH: usize = 8;
const CHECK_WIDTH: usize = 22;

/// The result of a check, with its message.
pub(super) enum Outcome {
    Ok(String),
    /// It works, but the merchant should look at it.
    Warning(String),
    /// The problem and the remedy.
    Failed(String),
    /// It cannot be checked.
    Skipped(String),
}

impl Outcome {
    fn style(&self) -> &'static str {
        match self {
            Outcome::Ok(_) => output::SUCCESS,
            Outcome::Warning(_) => output::WARNING,
            Outcome::Failed(_) => output::ERROR,
            Outcome::Skipped(_) => output::DIM,
        }
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Outcome::Ok(message) => ("ok", message),
            Outcome::Warning(message) => ("warning", message),
            Outcome::Failed(message) => ("FAILED", message),
            Outcome::Skipped(message) => ("skipped", message),
        }
    }
}

/// The checks that were made, in their order.
#[derive(Default)]
pub(super) struct Report(Vec<(&'static str, Outcome)>);

impl Report {
    pub(super) fn add(&mut self, check: &'static str, outcome: Outcome) {
        self.0.push((check, outcome));
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Outcome::Ok(message.into()));
    }

    pub(super) fn warning(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Outcome::Warning(message.into()));
    }

    pub(super) fn failed(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Outcome::Failed(message.into()));
    }

    pub(super) fn skipped(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Outcome::Skipped(message.into()));
    }

    /// Adds the outcome of a fallible check, and returns its value.
    pub(super) fn add_result<T>(
        &mut self,
        check: &'static str,
        result: Result<T, impl Display>,
        message: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.ok(check, message(&value));
                Some(value)
            }
            Err(error) => {
                self.failed(check, error.to_string());
                None
            }
        }
    }

    pub(super) fn has_failures(&self) -> bool {
        self.count_failed() > 0
    }

    fn count_failed(&self) -> usize {
        self.0.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).count()
    }

    /// Prints the report on standard output. Fails with code 8 if a check failed.
    pub(super) fn print(&self, as_json: bool) -> Result<(), Failure> {
        output::check(if as_json { output::body(self.json().as_bytes()) } else { self.print_lines() })?;
        match self.count_failed() {
            0 => Ok(()),
            count => Err(Failure { code: 8, message: format!("{count} of {} checks failed", self.0.len()) }),
        }
    }

    /// For programs: always in English.
    fn json(&self) -> String {
        let checks = self.0.iter().map(|(check, outcome)| {
            let (outcome, message) = outcome.parts();
            json!({ "check": check, "outcome": outcome.to_lowercase(), "message": message })
        });
        Value::Array(checks.collect()).to_string() + "\n"
    }

    fn print_lines(&self) -> io::Result<()> {
        let column = |text: &str, width| output::padded(&translate::message(text), width);
        self.0.iter().try_for_each(|(check, outcome)| {
            let (word, message) = outcome.parts();
            let line = format!("{} {}", column(check, CHECK_WIDTH), translate::message(message));
            output::outcome_line(&column(word, OUTCOME_WIDTH), outcome.style(), &line)
        })
    }
}
