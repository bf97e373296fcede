//! Properties of the text of a file that affect how other code is converted.

use std::collections::{BTreeSet, HashSet};

use tree_sitter::Node;

use super::syntax::{all, children, field, text};

/// The properties are found once: a search for each use would take quadratic time.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Whether the text contains numbers with which a calculation can exceed 64 bits.
    pub(super) has_large_numbers: bool,
    /// Whether it uses PHP objects without a class, such as `stdClass`. `is_array` is false for
    /// them.
    pub(super) has_loose_objects: bool,
    /// Whether it calls functions that return false in PHP and return an error in Rust.
    pub(super) may_return_false: bool,
    /// Whether it reads the code of an exception.
    pub(super) reads_codes: bool,
    /// Whether it may set the number of decimal places of the functions of bcmath. The names of
    /// functions can also be in texts.
    pub(super) sets_scale: bool,
    /// Whether it may call APIv2.
    pub(super) calls_v2: bool,
    /// Whether it removes elements of arrays.
    pub(super) unsets: bool,
    /// Whether it reads the request of a web server or writes the response.
    pub(super) answers_requests: bool,
    /// Whether it uses flags of `json_encode` that the conversion does not support, or adds flags
    /// to a variable.
    pub(super) has_unknown_flags: bool,
    /// The classes of exceptions that are thrown, without their namespaces and in lower case.
    pub(super) thrown: BTreeSet<String>,
    /// Whether it calls `Rsa::verify`, or another function with that name.
    pub(super) verifies: bool,
    /// The names of the functions and methods that are called, in lower case.
    called: HashSet<String>,
    /// The PHP expressions of the arrays to which elements are appended.
    appended: HashSet<String>,
    /// Whether it appends to an array that may have lost elements elsewhere.
    pub(super) appends_to_old: bool,
    /// The positions of the line ends.
    line_ends: Vec<usize>,
}

impl Marks {
    pub(super) fn new(root: Node<'_>, php: &str) -> Self {
        let (mut appended, mut called) = (HashSet::new(), HashSet::new());
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            if let ("subscript_expression", [of]) = (node.kind(), children(node).as_slice()) {
                appended.insert(text(*of, php).to_owned());
            }
            let name = match node.kind() {
                "function_call_expression" => field(node, "function"),
                "member_call_expression" | "nullsafe_member_call_expression" | "scoped_call_expression" => {
                    field(node, "name")
                }
                _ => None,
            };
            let name = name.map(|name| text(name, php).to_lowercase());
            if let (Some("array_push" | "\\array_push"), Some(list)) = (name.as_deref(), super::next_key::pushed(node))
            {
                appended.insert(text(list, php).to_owned());
            }
            called.extend(name);
            stack.extend(all(node));
        }
        let has = |words: &[&str]| words.iter().any(|word| php.contains(word));
        let lower = php.to_ascii_lowercase();
        let digits = |run: &[u8]| run.len() > 15 && run.first().is_some_and(u8::is_ascii_digit);
        let part = |c: char| c == '\\' || c == '_' || c.is_alphanumeric();
        let thrown = php.split("throw new").skip(1).map(|after| {
            let class: String = after.trim_start().chars().take_while(|c| part(*c)).collect();
            class.rsplit('\\').next().unwrap_or_default().to_lowercase()
        });
        let decodes_objects = php.split("json_decode").skip(1).any(|call| {
            let call = call.split(';').next().unwrap_or_default().to_ascii_lowercase();
            !call.contains("true") && !call.contains(", 1)")
        });
        let flag = |name: &str| {
            ["UNESCAPED_SLASHES", "PRETTY_PRINT", "UNESCAPED_UNICODE"].iter().any(|known| name.starts_with(known))
        };
        Marks {
            has_large_numbers: has(&["PHP_INT_M"])
                || php.as_bytes().chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit()).any(digits),
            has_loose_objects: has(&["stdClass", "(object)"]) || decodes_objects,
            may_return_false: has(&["env(", "file_get_contents", "_file(", "file_put_contents"]),
            reads_codes: has(&["getCode"]),
            sets_scale: ["bcscale", "ini_set", "ini_alter"].iter().any(|name| lower.contains(name)),
            calls_v2: has(&["v2", "Rejection", "XML_BASED", "chain($", "->{$"]) || !has(&["v3"]),
            unsets: has(&["unset(", "unset ("]),
            answers_requests: has(&[
                "$_SERVER",
                "$_GET",
                "$_POST",
                "php://input",
                "header(",
                "http_response_code",
                "getallheaders",
            ]),
            has_unknown_flags: has(&["|="]) || php.split("JSON_").skip(1).any(|name| !flag(name)),
            verifies: called.contains("verify"),
            called,
            thrown: thrown.collect(),
            appends_to_old: super::next_key::appends_to_old(root, php),
            appended,
            line_ends: php.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect(),
        }
    }

    /// Whether any code of the text appends an element to this array.
    pub(super) fn appends_to(&self, place: &str) -> bool {
        self.appended.contains(place)
    }

    pub(super) fn calls(&self, name: &str) -> bool {
        self.called.contains(name)
    }

    /// The line of a position, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_ends.partition_point(|end| *end < at) + 1
    }
}
