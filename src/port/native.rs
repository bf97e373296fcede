//! Converts PHP's built-in functions that have an equivalent in Rust.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, End, code};
use super::imports::{BASE64, HASH, PHP, UNBASE64, VALUE};
use super::value::{Bond, Expr, Type};

impl<'t> Porter<'t> {
    pub(super) fn native(&mut self, node: Node<'t>, name: &str, given: &[Node<'t>]) -> Option<Expr> {
        // The functions that inspect their arguments before these are converted.
        match name {
            "isset" => return self.isset(node, given),
            "empty" => return self.empty(given),
            "json_decode" => return self.json_decode(node, given),
            "file_get_contents" => return self.file_get_contents(node, given),
            "define" => return Some(Expr::new("", Type::Unit)),
            "error_reporting" | "ini_set" | "set_time_limit" | "date_default_timezone_set" | "ob_start" => {
                let todo = format!("{name}() says something to PHP alone");
                return Some(self.left_as(node, &todo, Type::Unit));
            }
            "array_merge" => {
                let parts: Vec<Expr> = given.iter().map(|one| self.expression(*one)).collect();
                if parts.iter().any(|one| one.ty != Type::Value) {
                    return None;
                }
                let parts: Vec<Code> = parts.iter().map(|one| self.operand(one)).collect();
                let end = self.try_any();
                return Some(Expr::new(code!("{PHP}::merge(&[{}]){end}", Code::joined(&parts, ", ")), Type::Value));
            }
            "is_null" => {
                let [one] = given else { return None };
                let e = self.asked(*one);
                return self.is_identical(&e, &Expr::new(code!("{VALUE}::Null"), Type::Null));
            }
            "die" | "exit" if given.len() < 2 => {
                return Some(Expr::new(self.exit(node, given.first().copied()), Type::Unit));
            }
            "header" | "http_response_code" => return self.sent(name, given),
            "printf" | "sprintf" => return self.sprintf(node, name, given),
            _ => {}
        }
        if matches!(name, "preg_match" | "preg_match_all" | "parse_str" | "extract" | "compact" | "similar_text") {
            return None;
        }
        let by_reference = super::scope::changes_argument(name);
        if by_reference {
            return self.by_reference(name, given);
        }
        let arguments: Vec<Expr> = given.iter().map(|one| self.expression(*one)).collect();
        if arguments.iter().any(|one| one.ty == Type::Unit) {
            return None;
        }
        self.of_texts(name, &arguments)
            .or_else(|| self.of_values(node, name, &arguments))
            .or_else(|| self.of_files(name, &arguments))
    }

    fn of_texts(&mut self, name: &str, given: &[Expr]) -> Option<Expr> {
        let text = |code: Code| Expr::new(code, Type::Text);
        let truth = |code: Code| Expr::new(code, Type::Bool);
        Some(match (name, given) {
            ("strval", [thing]) => text(self.string(thing)),
            ("trim" | "ltrim" | "rtrim" | "chop", [thing]) => {
                let name = if name == "chop" { "rtrim" } else { name };
                text(code!("{PHP}::{name}({}).to_owned()", self.str(thing)))
            }
            ("trim" | "ltrim" | "rtrim" | "chop", [thing, list])
                if list.literal.as_deref().is_some_and(|list| !list.contains("..") && !list.is_empty()) =>
            {
                let list: Vec<char> = list.literal.clone().unwrap_or_default().chars().collect();
                if !list.iter().all(char::is_ascii) {
                    return None;
                }
                let method = match name {
                    "trim" => "trim_matches",
                    "ltrim" => "trim_start_matches",
                    _ => "trim_end_matches",
                };
                let thing = self.plain_str(thing);
                text(code!("{thing}.{method}({list:?}).to_owned()"))
            }
            ("strrev", [thing]) if self.is_plain(thing) => {
                text(code!("{}.chars().rev().collect::<String>()", self.plain_str(thing)))
            }
            ("strcmp", [one, other]) => {
                let (one, other) = (self.str(one), self.str(other));
                Expr::new(code!("{PHP}::strcmp({one}, {other})"), Type::Int)
            }
            ("ctype_digit", [thing]) if thing.ty == Type::Text => {
                let thing = self.plain_str(thing);
                truth(code!("!{thing}.is_empty() && {thing}.bytes().all(|byte| byte.is_ascii_digit())")).bond(Bond::And)
            }
            ("is_numeric", [thing]) if !thing.ty.is_object() => {
                truth(code!("{PHP}::is_numeric({})", self.value_ref(thing)))
            }
            ("strtoupper", [thing]) => text(code!("{}.to_ascii_uppercase()", self.plain_str(thing))),
            ("strtolower", [thing]) => text(code!("{}.to_ascii_lowercase()", self.plain_str(thing))),
            ("mb_strtoupper", [thing]) if self.is_plain(thing) => {
                text(code!("{}.to_uppercase()", self.plain_str(thing)))
            }
            ("mb_strtolower", [thing]) if self.is_plain(thing) => {
                text(code!("{}.to_lowercase()", self.plain_str(thing)))
            }
            ("strlen", [thing]) => {
                let length = code!("{}.len()", self.plain_str(thing));
                Expr::new(Code::cast(length, "i64"), Type::Int).bond(Bond::Sum).small(true)
            }
            ("mb_strlen", [thing]) => {
                let length = code!("{}.chars().count()", self.plain_str(thing));
                Expr::new(Code::cast(length, "i64"), Type::Int).bond(Bond::Sum).small(true)
            }
            ("str_replace", [from, to, thing]) if [from, to, thing].iter().all(|one| one.ty == Type::Text) => {
                let (from, to, thing) = (self.str(from), self.str(to), self.str(thing));
                text(code!("{PHP}::replace({thing}, {from}, {to})"))
            }
            ("str_contains", [thing, part]) => {
                let (thing, part) = (self.plain_str(thing), self.str(part));
                truth(code!("{thing}.contains({part})"))
            }
            ("str_starts_with", [thing, part]) => {
                let (thing, part) = (self.plain_str(thing), self.str(part));
                truth(code!("{thing}.starts_with({part})"))
            }
            ("str_ends_with", [thing, part]) => {
                let (thing, part) = (self.plain_str(thing), self.str(part));
                truth(code!("{thing}.ends_with({part})"))
            }
            ("implode" | "join", [glue, list]) if list.ty == Type::Value => {
                let (glue, list) = (self.str(glue), list.reference());
                text(code!("{PHP}::implode({glue}, {list})"))
            }
            ("explode", [glue, thing]) => {
                let (glue, thing, end) = (self.str(glue), self.str(thing), self.try_any());
                Expr::new(code!("{PHP}::explode({glue}, {thing}){end}"), Type::Value)
            }
            ("ucfirst", [thing]) => text(code!("{PHP}::ucfirst({})", self.str(thing))),
            ("substr" | "mb_substr", [thing, from, rest @ ..])
                if rest.len() < 2 && (name == "mb_substr" || thing.literal.as_deref().is_none_or(str::is_ascii)) =>
            {
                let (thing, from) = (self.str(thing), self.int(from));
                let length = match rest.first() {
                    None => "None".into(),
                    Some(length) if length.ty == Type::Null => "None".into(),
                    Some(length) if length.ty == Type::Value => return None,
                    Some(length) => code!("Some({})", self.int(length)),
                };
                let end = if name == "substr" { self.try_any() } else { End::Nothing };
                text(code!("{PHP}::{name}({thing}, {from}, {length}){end}"))
            }
            ("str_repeat", [thing, times]) => {
                let (thing, times) = (self.plain_str(thing), self.int(times));
                text(code!("{thing}.repeat(usize::try_from({times}).unwrap_or_default())"))
            }
            ("str_pad", [thing, length, rest @ ..])
                if rest.len() < 3 && rest.get(1).is_none_or(|side| matches!(side.code.as_number(), Some(0 | 1))) =>
            {
                let left = rest.get(1).is_some_and(|side| side.code.as_number() == Some(0));
                let (thing, length) = (self.str(thing), self.int(length));
                let with = rest.first().map_or_else(|| "\" \"".into(), |with| self.str(with));
                let end = self.try_any();
                text(code!("{PHP}::pad({thing}, {length}, {with}, {left}){end}"))
            }
            ("rawurlencode" | "urlencode", [thing]) => text(code!("{PHP}::{name}({})", self.str(thing))),
            ("http_build_query", [thing]) if thing.ty == Type::Value => {
                text(code!("{PHP}::http_build_query({})", thing.reference()))
            }
            ("base64_encode", [thing]) => text(code!("{BASE64}({})", self.bytes(thing))),
            ("base64_decode", [thing]) => {
                let (thing, end) = (self.str(thing), self.try_any());
                text(code!("{UNBASE64}({thing}){end}"))
            }
            ("strpos", [thing, part]) => {
                let (thing, part) = (self.str(thing), self.str(part));
                Expr::new(code!("{PHP}::position({thing}, {part})"), Type::Value)
            }
            ("sha1", [thing]) => {
                let thing = if thing.ty == Type::Bytes { thing.reference() } else { self.str(thing) };
                text(code!("{HASH}::sha1({thing})"))
            }
            ("bin2hex", [thing]) => {
                let thing = self.plain_str(thing);
                text(code!("{thing}.bytes().map(|byte| format!(\"{{byte:02x}}\")).collect::<String>()"))
            }
            ("md5", [thing]) => {
                let thing = if thing.ty == Type::Bytes { thing.reference() } else { self.str(thing) };
                text(code!("{HASH}::md5({thing})"))
            }
            ("hash_equals", [known, given]) => {
                let (known, given) = (self.str(known), self.str(given));
                truth(code!("{HASH}::equals({known}, {given})"))
            }
            ("is_string", [thing]) if thing.ty == Type::Value => truth(code!("{}.is_string()", thing.tight())),
            ("is_array", [thing]) if thing.ty == Type::Value && !self.marks.has_loose_objects => {
                if thing.code.acts().is_empty() {
                    let thing = thing.tight();
                    truth(code!("{thing}.is_array() || {thing}.is_object()")).bond(Bond::Or)
                } else {
                    // It is evaluated once.
                    truth(code!("matches!({}, {VALUE}::Array(_) | {VALUE}::Object(_))", thing.code))
                }
            }
            ("is_int", [thing]) if thing.ty == Type::Value => truth(code!("{}.is_i64()", thing.tight())),
            ("is_bool", [thing]) if thing.ty == Type::Value => truth(code!("{}.is_boolean()", thing.tight())),
            ("is_float", [thing]) if thing.ty == Type::Value => truth(code!("{}.is_f64()", thing.tight())),
            ("is_string" | "is_array" | "is_int" | "is_bool" | "is_float", [thing]) => {
                let is = match name {
                    "is_string" => Type::Text,
                    "is_int" => Type::Int,
                    "is_bool" => Type::Bool,
                    "is_float" => Type::Float,
                    _ => return None,
                };
                if !matches!(thing.ty, Type::Text | Type::Int | Type::Bool | Type::Float | Type::Null) {
                    return None;
                }
                self.constant_of(&[thing], thing.ty == is)
            }
            _ => return None,
        })
    }
}
