//! Converts PHP's built-in functions that have an equivalent in Rust.

use tree_sitter::Node;

use super::Porter;
use super::value::{Bond, Expr, Form, Type};

impl<'t> Porter<'t> {
    pub(super) fn native(&mut self, node: Node<'t>, name: &str, given: &[Node<'t>]) -> Option<Expr> {
        // The functions that inspect their arguments before these are converted.
        match name {
            "isset" => return self.isset(given),
            "empty" => return self.empty(given),
            "json_decode" => return self.json_decode(given),
            "file_get_contents" => return self.file_get_contents(node, given),
            "define" => return Some(Expr::new("", Type::Unit)),
            "error_reporting" | "ini_set" | "set_time_limit" | "date_default_timezone_set" | "ob_start" => {
                let todo = format!("{name}() says something to PHP alone");
                return Some(self.left_as(node, &todo, Type::Unit));
            }
            "array_merge" => {
                let parts: Vec<Expr> = given.iter().map(|one| self.expression(*one)).collect();
                let parts: Vec<String> = parts.iter().map(|one| self.value(one)).collect();
                let helper = "php_merge";
                return Some(Expr::new(format!("{helper}(vec![{}])", parts.join(", ")), Type::Value));
            }
            "printf" | "sprintf" => return self.sprintf(node, name, given),
            _ => {}
        }
        let arguments: Vec<Expr> = given.iter().map(|one| self.expression(*one)).collect();
        self.of_texts(name, &arguments)
            .or_else(|| self.of_values(node, name, &arguments))
            .or_else(|| self.of_files(name, &arguments))
    }

    fn of_texts(&mut self, name: &str, given: &[Expr]) -> Option<Expr> {
        let text = |code: String| Expr::new(code, Type::Text);
        let truth = |code: String| Expr::new(code, Type::Bool);
        Some(match (name, given) {
            ("strval", [thing]) => text(self.string(thing)),
            ("trim" | "ltrim" | "rtrim" | "chop", [thing]) => {
                let method = match name {
                    "trim" => "trim",
                    "ltrim" => "trim_start",
                    _ => "trim_end",
                };
                let thing = self.plain_str(thing);
                text(format!("{thing}.{method}().to_owned()"))
            }
            ("strtoupper", [thing]) => text(format!("{}.to_ascii_uppercase()", self.plain_str(thing))),
            ("strtolower", [thing]) => text(format!("{}.to_ascii_lowercase()", self.plain_str(thing))),
            ("mb_strtoupper", [thing]) => text(format!("{}.to_uppercase()", self.plain_str(thing))),
            ("mb_strtolower", [thing]) => text(format!("{}.to_lowercase()", self.plain_str(thing))),
            ("strlen", [thing]) => {
                Expr::new(format!("{}.len() as i64", self.plain_str(thing)), Type::Int).bond(Bond::Sum)
            }
            ("mb_strlen", [thing]) => {
                Expr::new(format!("{}.chars().count() as i64", self.plain_str(thing)), Type::Int).bond(Bond::Sum)
            }
            ("str_replace", [from, to, thing]) if from.ty == Type::Text => {
                let (from, to, thing) = (self.str(from), self.str(to), self.plain_str(thing));
                text(format!("{thing}.replace({from}, {to})"))
            }
            ("str_contains", [thing, part]) => {
                let (thing, part) = (self.plain_str(thing), self.str(part));
                truth(format!("{thing}.contains({part})"))
            }
            ("str_starts_with", [thing, part]) => {
                let (thing, part) = (self.plain_str(thing), self.str(part));
                truth(format!("{thing}.starts_with({part})"))
            }
            ("str_ends_with", [thing, part]) => {
                let (thing, part) = (self.plain_str(thing), self.str(part));
                truth(format!("{thing}.ends_with({part})"))
            }
            ("implode" | "join", [glue, list]) if list.ty == Type::Value => {
                let (values, to_text) = ("php_values", "php_text");
                let (glue, list) = (self.str(glue), list.reference());
                text(format!("{values}({list}).into_iter().map({to_text}).collect::<Vec<_>>().join({glue})"))
            }
            ("explode", [glue, thing]) => {
                let (glue, thing) = (self.str(glue), self.plain_str(thing));
                Expr::new(format!("json!({thing}.split({glue}).collect::<Vec<_>>())"), Type::Value)
            }
            ("ucfirst", [thing]) => {
                let thing = self.str(thing);
                text(format!("{}({thing})", "php_first"))
            }
            ("substr" | "mb_substr", [thing, from]) if name == "substr" => {
                let (thing, from) = (self.str(thing), self.int(from));
                text(format!("{}({thing}, {from}, None)", "php_part"))
            }
            ("substr", [thing, from, length]) => {
                let (thing, from, length) = (self.str(thing), self.int(from), self.int(length));
                text(format!("{}({thing}, {from}, Some({length}))", "php_part"))
            }
            ("str_repeat", [thing, times]) => {
                let (thing, times) = (self.plain_str(thing), self.int(times));
                text(format!("{thing}.repeat(usize::try_from({times}).unwrap_or_default())"))
            }
            ("str_pad", [thing, length]) => {
                let (thing, length) = (self.str(thing), self.int(length));
                text(format!("{}({thing}, {length}, \" \", false)", "php_pad"))
            }
            ("str_pad", [thing, length, with, rest @ ..])
                if rest.first().is_none_or(|side| matches!(side.code.as_str(), "0" | "1")) =>
            {
                let left = rest.first().is_some_and(|side| side.code == "0");
                let (thing, length, with) = (self.str(thing), self.int(length), self.str(with));
                text(format!("{}({thing}, {length}, {with}, {left})", "php_pad"))
            }
            ("rawurlencode", [thing]) => {
                let thing = self.str(thing);
                text(format!("{}({thing})", "php_percent"))
            }
            ("urlencode", [thing]) => {
                let thing = self.str(thing);
                text(format!("php_percent({thing}).replace(\"%20\", \"+\").replace('~', \"%7E\")"))
            }
            ("http_build_query", [thing]) if thing.ty == Type::Value => {
                text(format!("php_query({}, \"\")", thing.reference()))
            }
            ("base64_encode", [thing]) => text(format!("php_base64({})", self.bytes(thing))),
            ("base64_decode", [thing]) => text(format!("php_unbase64({})", self.str(thing))),
            ("strpos", [thing, part]) => {
                let (thing, part) = (self.plain_str(thing), self.str(part));
                Expr::new(format!("{thing}.find({part}).map_or(Value::Bool(false), Value::from)"), Type::Value)
            }
            ("sha1", [thing]) => {
                let thing = if thing.ty == Type::Bytes { thing.reference() } else { self.str(thing) };
                text(format!("hash::sha1({thing})"))
            }
            ("bin2hex", [thing]) => {
                let thing = self.plain_str(thing);
                text(format!("{thing}.bytes().map(|byte| format!(\"{{byte:02x}}\")).collect::<String>()"))
            }
            ("md5", [thing]) => {
                let thing = if thing.ty == Type::Bytes { thing.reference() } else { self.str(thing) };
                text(format!("hash::md5({thing})"))
            }
            ("hash_equals", [known, given]) => {
                let (known, given) = (self.str(known), self.str(given));
                truth(format!("hash::equals({known}, {given})"))
            }
            ("is_string", [thing]) if thing.ty == Type::Value => truth(format!("{}.is_string()", thing.tight())),
            ("is_array", [thing]) if thing.ty == Type::Value => {
                let thing = thing.tight();
                truth(format!("{thing}.is_array() || {thing}.is_object()")).bond(Bond::Or)
            }
            ("is_null", [thing]) if thing.ty == Type::Value => truth(format!("{}.is_null()", thing.tight())),
            ("is_int", [thing]) if thing.ty == Type::Value => truth(format!("{}.is_i64()", thing.tight())),
            ("is_bool", [thing]) if thing.ty == Type::Value => truth(format!("{}.is_boolean()", thing.tight())),
            _ => return None,
        })
    }

    fn of_values(&mut self, node: Node<'t>, name: &str, given: &[Expr]) -> Option<Expr> {
        let int = |code: String| Expr::new(code, Type::Int);
        Some(match (name, given) {
            ("intval", [thing]) => int(self.int(thing)),
            ("floatval" | "doubleval", [thing]) => Expr::new(self.float(thing), Type::Float),
            ("boolval", [thing]) => Expr::new(self.truth(thing, Bond::Tight), Type::Bool),
            ("round", [thing]) => Expr::new(format!("f64::round({})", self.float(thing)), Type::Float),
            ("floor", [thing]) => Expr::new(format!("f64::floor({})", self.float(thing)), Type::Float),
            ("ceil", [thing]) => Expr::new(format!("f64::ceil({})", self.float(thing)), Type::Float),
            ("abs", [thing]) if thing.ty == Type::Int => int(format!("i64::abs({})", thing.code)),
            ("time", []) => int("formatter::timestamp()".to_owned()),
            ("count" | "sizeof", [list]) if list.ty == Type::Value => {
                let helper = "php_count";
                int(format!("{helper}({})", list.reference()))
            }
            ("in_array", [thing, list, strict @ ..])
                if list.ty == Type::Value && !thing.ty.is_object() && strict.len() < 2 =>
            {
                let strictly = strict.first().is_some_and(|strict| strict.code == "true");
                let (thing, values) = (self.value_ref(thing), format!("php_values({})", list.reference()));
                Expr::new(
                    if strictly {
                        format!("{values}.contains(&{thing})")
                    } else {
                        format!("{values}.iter().any(|one| php_equal(one, {thing}))")
                    },
                    Type::Bool,
                )
            }
            ("array_keys", [list]) if list.ty == Type::Value => {
                Expr::new(format!("{}({})", "php_keys", list.reference()), Type::Value)
            }
            ("array_values", [list]) if list.ty == Type::Value => {
                Expr::new(format!("json!({}({}))", "php_values", list.reference()), Type::Value)
            }
            ("intdiv", [a, b]) => {
                let (a, b) = (self.int(a), self.int(b));
                int(format!("i64::checked_div({a}, {b}).unwrap_or_default()"))
            }
            ("array_key_exists", [key, list]) if list.ty == Type::Value => {
                let key = self.key(key);
                Expr::new(format!("{}.get({key}).is_some()", list.tight()), Type::Bool)
            }
            ("json_encode", [thing, flags @ ..]) if !thing.ty.is_object() => {
                // The flags for slashes and Unicode change only the spelling of the same text.
                let written = node.child_by_field_name("arguments").and_then(|given| given.named_child(1));
                let pretty =
                    !flags.is_empty() && written.is_some_and(|flags| self.text(flags).contains("JSON_PRETTY_PRINT"));
                let value = if thing.ty == Type::Value { thing.tight() } else { self.value(thing) };
                let code =
                    if pretty { format!("format!(\"{{:#}}\", {value})") } else { format!("{value}.to_string()") };
                Expr::new(code, Type::Text)
            }
            ("print_r", [thing, yes]) if yes.code == "true" => {
                let shown = self.shown(thing)?;
                let code = self.formatted_value(name, "format", &shown, thing);
                Expr::new(code, Type::Text)
            }
            ("var_export", [thing, yes]) if yes.code == "true" => {
                let shown = self.shown(thing)?;
                Expr::new(self.formatted_value(name, "format", &shown, thing), Type::Text)
            }
            ("print_r" | "var_dump" | "var_export" | "dump", things) if !things.is_empty() => {
                let mut lines = Vec::new();
                for thing in things {
                    let shown = self.shown(thing)?;
                    lines.push(self.formatted_value(
                        name,
                        if name == "print_r" { "print" } else { "println" },
                        &shown,
                        thing,
                    ));
                }
                Expr::new(lines.join(";\n"), Type::Unit)
            }
            ("error_log", [thing, ..]) => {
                Expr::new(self.formatted("eprintln", std::slice::from_ref(thing)), Type::Unit)
            }
            ("uniqid", [] | [_]) => {
                let helper = "php_uniqid";
                match given.first().filter(|prefix| prefix.literal.as_deref() != Some("")) {
                    None => Expr::new(format!("{helper}()"), Type::Text),
                    Some(prefix) => {
                        let parts = [prefix.clone(), Expr::new(format!("{helper}()"), Type::Text)];
                        Expr::new(self.formatted("format", &parts), Type::Text)
                    }
                }
            }
            ("usleep", [time]) if time.ty == Type::Int => Expr::new(
                format!("std::thread::sleep(std::time::Duration::from_micros({}.unsigned_abs()))", literal_i64(time)),
                Type::Unit,
            ),
            ("sleep", [time]) if time.ty == Type::Int => Expr::new(
                format!("std::thread::sleep(std::time::Duration::from_secs({}.unsigned_abs()))", literal_i64(time)),
                Type::Unit,
            ),
            ("date" | "gmdate" | "strtotime" | "mktime", _) => self.left_as(
                node,
                "dates need a library such as time or chrono, and the zone that PHP takes from its settings",
                Type::Text,
            ),
            _ => return None,
        })
    }

    /// The readable output of a value.
    fn shown(&mut self, thing: &Expr) -> Option<String> {
        match &thing.ty {
            Type::Value => Some(thing.code.clone()),
            Type::Response | Type::Client | Type::Chain | Type::Error | Type::BoxError => Some(thing.code.clone()),
            ty if ty.is_object() => None,
            _ => Some(self.display(thing)),
        }
    }

    fn formatted_value(&mut self, what: &str, name: &str, shown: &str, thing: &Expr) -> String {
        match &thing.ty {
            Type::Value if what == "print_r" => {
                let printed = format!("{}({}, 0)", "php_print", thing.reference());
                self.formatted(if name == "println" { "print" } else { name }, &[Expr::new(printed, Type::Text)])
            }
            Type::Value => format!("{name}!(\"{{:#}}\", {shown})"),
            ty if ty.is_object() => format!("{name}!(\"{{:#?}}\", {shown})"),
            Type::Text if what == "var_export" => format!("{name}!(\"'{{}}'\", {shown})"),
            Type::Bool if matches!(what, "var_export" | "var_dump") => format!("{name}!(\"{{}}\", {})", thing.code),
            _ => self.formatted(name, std::slice::from_ref(thing)),
        }
    }

    fn of_files(&mut self, name: &str, given: &[Expr]) -> Option<Expr> {
        Some(match (name, given) {
            ("getenv" | "env", [key]) => {
                let key = self.str(key);
                Expr::new(format!("std::env::var({key}).unwrap_or_default()"), Type::Text)
            }
            ("getenv" | "env", [key, default]) if name == "env" && default.ty == Type::Text => {
                let (key, default) = (self.str(key), self.string(default));
                Expr::new(format!("std::env::var({key}).unwrap_or_else(|_| {default})"), Type::Text)
            }
            ("file_put_contents", [path, contents]) => {
                let (path, contents) = (self.str(path), self.bytes(contents));
                let end = self.try_any();
                Expr::new(format!("std::fs::write({path}, {contents}){end}"), Type::Unit)
            }
            ("file_put_contents", [path, contents, flags])
                if flags.code.split('|').all(|flag| matches!(flag.trim(), "8" | "2")) =>
            {
                let appends = flags.code.split('|').any(|flag| flag.trim() == "8");
                let (path, contents) = (self.str(path), self.bytes(contents));
                let end = self.try_any();
                let code = if appends {
                    format!(
                        "std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).create(true).open({path}){end}, {contents}){end}"
                    )
                } else {
                    format!("std::fs::write({path}, {contents}){end}")
                };
                Expr::new(code, Type::Unit)
            }
            ("unlink", [path]) => {
                let path = self.str(path);
                let end = self.try_any();
                Expr::new(format!("std::fs::remove_file({path}){end}"), Type::Unit)
            }
            ("file_exists" | "is_file", [path]) => {
                let path = self.str(path);
                let asks = if name == "is_file" { "is_file" } else { "exists" };
                Expr::new(format!("std::path::Path::new({path}).{asks}()"), Type::Bool)
            }
            ("basename", [path]) => {
                let path = self.plain_str(path);
                Expr::new(
                    format!("{path}.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()"),
                    Type::Text,
                )
            }
            ("sha1_file" | "md5_file", [path]) => {
                let digest = name.trim_end_matches("_file");
                let path = self.str(path);
                let end = self.try_any();
                Expr::new(format!("hash::{digest}(std::fs::read({path}){end})"), Type::Text)
            }
            ("hash_file", [algorithm, path]) => {
                let name =
                    algorithm.literal.clone().filter(|name| matches!(name.as_str(), "md5" | "sha1" | "sha256"))?;
                let path = self.str(path);
                let end = self.try_any();
                Expr::new(format!("hash::{name}(std::fs::read({path}){end})"), Type::Text)
            }
            ("hash", [algorithm, thing]) => {
                let name =
                    algorithm.literal.clone().filter(|name| matches!(name.as_str(), "md5" | "sha1" | "sha256"))?;
                let thing = if thing.ty == Type::Bytes { thing.reference() } else { self.str(thing) };
                Expr::new(format!("hash::{name}({thing})"), Type::Text)
            }
            _ => return None,
        })
    }
}

/// An integer that a method can be called on.
fn literal_i64(e: &Expr) -> String {
    if e.code.bytes().all(|byte| byte.is_ascii_digit()) && e.form == Form::Owned {
        format!("{}_i64", e.code)
    } else {
        e.tight()
    }
}
