//! Converts PHP's built-in functions of numbers, arrays and files.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::imports::{FORMATTER, HASH, JSON, PHP, UNIQID};
use super::value::{Bond, Expr, Form, Type};

impl<'t> Porter<'t> {
    /// Whether a text is ASCII for certain.
    pub(super) fn is_plain(&self, e: &Expr) -> bool {
        matches!(e.ty, Type::Int | Type::Float | Type::Bool) || e.literal.as_deref().is_some_and(str::is_ascii)
    }

    /// A function that changes the variable which it gets, as a statement.
    pub(super) fn by_reference(&mut self, name: &str, given: &[Node<'t>]) -> Option<Expr> {
        let [target, rest @ ..] = given else { return None };
        let variable = super::syntax::variable(*target, self.php)?;
        let var = self.frame().vars.get(variable).cloned()?;
        if var.ty != Type::Value || var.form != Form::Place || !var.mutable {
            return None;
        }
        match (name, rest) {
            ("ksort", []) => Some(Expr::new(code!("{PHP}::ksort(&mut {})", var.rust), Type::Unit)),
            ("array_push", [value]) => {
                let value = self.expression(*value);
                if value.ty.is_object() || value.ty == Type::Unit {
                    return None;
                }
                let (value, end) = (self.value(&value), self.try_any());
                Some(Expr::new(code!("{PHP}::push(&mut {}, {value}){end}", var.rust), Type::Unit))
            }
            _ => None,
        }
    }

    pub(super) fn of_values(&mut self, node: Node<'t>, name: &str, given: &[Expr]) -> Option<Expr> {
        let int = |code: Code| Expr::new(code, Type::Int);
        Some(match (name, given) {
            ("intval", [thing]) => int(self.int(thing)),
            ("floatval" | "doubleval", [thing]) => Expr::new(self.float(thing), Type::Float),
            ("boolval", [thing]) => Expr::new(self.truth(thing, Bond::Tight), Type::Bool),
            ("round" | "floor" | "ceil" | "number_format", [thing, ..]) if thing.ty.is_object() => return None,
            ("round", [thing, rest @ ..]) if rest.len() < 2 => {
                let places = rest.first().map_or_else(|| "0".into(), |places| self.int(places));
                Expr::new(code!("{PHP}::round({}, {places})", self.number(thing)), Type::Float)
            }
            ("floor", [thing]) => Expr::new(code!("f64::floor({})", self.number(thing)), Type::Float),
            ("ceil", [thing]) => Expr::new(code!("f64::ceil({})", self.number(thing)), Type::Float),
            ("number_format", [thing, rest @ ..]) if rest.len() < 4 => {
                let number = self.number(thing);
                let places = rest.first().map_or_else(|| "0".into(), |places| self.int(places));
                let point = rest.get(1).map_or_else(|| "\".\"".into(), |point| self.str(point));
                let separator = rest.get(2).map_or_else(|| "\",\"".into(), |separator| self.str(separator));
                let code = code!("{PHP}::number_format({number}, {places}, {point}, {separator})");
                Expr::new(code, Type::Text)
            }
            ("abs", [thing]) if matches!(thing.ty, Type::Int | Type::Float | Type::Value) => {
                let (thing, end) = (self.operand(thing), self.try_any());
                Expr::new(code!("{PHP}::abs({thing}){end}"), Type::Value)
            }
            ("max" | "min", [one, other, ..]) if !one.ty.is_object() && !other.ty.is_object() => {
                if given.iter().any(|one| one.ty.is_object()) {
                    return None;
                }
                let all: Vec<Code> = given.iter().map(|one| self.json(one)).collect();
                let end = self.try_any();
                Expr::new(code!("{PHP}::{name}(&{JSON}!([{}])){end}", Code::joined(&all, ", ")), Type::Value)
            }
            ("max" | "min" | "array_sum", [list]) if list.ty == Type::Value => {
                let (list, end) = (self.operand(list), self.try_any());
                let name = if name == "array_sum" { "sum" } else { name };
                Expr::new(code!("{PHP}::{name}({list}){end}"), Type::Value)
            }
            ("array_column", [list, key]) if list.ty == Type::Value && key.literal.is_some() => {
                let (list, key) = (self.operand(list), self.str(key));
                Expr::new(code!("{PHP}::column({list}, {key})"), Type::Value)
            }
            ("array_filter" | "array_unique" | "array_flip" | "array_reverse", [list]) if list.ty == Type::Value => {
                let (list, name) = (self.operand(list), name.trim_start_matches("array_"));
                Expr::new(code!("{PHP}::{name}({list})"), Type::Value)
            }
            // Without a scale, PHP's is that of `bcscale` or of the setting bcmath.scale, whose
            // default is 0.
            ("bcadd" | "bcsub" | "bcmul" | "bcdiv" | "bccomp", [a, b, scale @ ..])
                if !a.ty.is_object()
                    && !b.ty.is_object()
                    && scale.len() < 2
                    && scale.first().map_or(!self.marks.sets_scale, |scale| scale.ty == Type::Int) =>
            {
                let (a, b) = (self.coerced(a, &Type::Text)?, self.coerced(b, &Type::Text)?);
                let scale = scale.first().map_or_else(|| Code::number(0), |scale| self.int(scale));
                let (a, b) = (self.str(&a), self.str(&b));
                let end = self.try_any();
                let ty = if name == "bccomp" { Type::Int } else { Type::Text };
                Expr::new(code!("{PHP}::{name}({a}, {b}, {scale}){end}"), ty).small(name == "bccomp")
            }
            ("time", []) => int(code!("{FORMATTER}::timestamp()")).small(true),
            ("count" | "sizeof", [list]) if list.ty == Type::Value => {
                let (list, end) = (self.operand(list), self.try_any());
                int(code!("{PHP}::count({list}){end}")).small(true)
            }
            ("in_array", [thing, list, strict @ ..])
                if list.ty == Type::Value && !thing.ty.is_object() && strict.len() < 2 =>
            {
                let strictly = strict.first().is_some_and(|strict| strict.code.as_truth() == Some(true));
                let (thing, list) = (self.value_ref(thing), list.reference());
                let contains = if strictly { "contains_identical" } else { "contains" };
                Expr::new(code!("{PHP}::{contains}({list}, {thing})"), Type::Bool)
            }
            ("array_keys", [list]) if list.ty == Type::Value => {
                Expr::new(code!("{PHP}::keys({})", list.reference()), Type::Value)
            }
            ("array_values", [list]) if list.ty == Type::Value => {
                Expr::new(code!("{PHP}::list({})", list.reference()), Type::Value)
            }
            ("intdiv", [a, b]) => {
                let (a, b) = (self.coerced(a, &Type::Int)?, self.coerced(b, &Type::Int)?);
                let (a, b) = (self.int(&a), self.int(&b));
                {
                    let end = self.try_any();
                    int(code!("{PHP}::intdiv({a}, {b}){end}"))
                }
            }
            ("array_key_exists", [key, list]) if list.ty == Type::Value => {
                let key = self.key(key)?;
                Expr::new(code!("{PHP}::has({}, {key})", list.reference()), Type::Bool)
            }
            ("json_encode", [thing, flags @ ..]) if !thing.ty.is_object() => {
                let value = self.operand_value(thing);
                let flags = match flags {
                    [] => Code::number(0),
                    [flags] if flags.ty == Type::Int && self.knows_flags(node) => flags.code.clone(),
                    _ => return None,
                };
                let flags = match flags.as_flags() {
                    Some(flags) => json_flags(&flags),
                    None => flags,
                };
                Expr::new(code!("{PHP}::json_encode({value}, {flags})"), Type::Text)
            }
            ("print_r" | "var_export", [thing, yes]) if yes.code.as_truth() == Some(true) => {
                Expr::new(self.dumped(node, name, thing)?, Type::Text)
            }
            ("print_r" | "var_export", [thing]) => {
                let dumped = Expr::new(self.dumped(node, name, thing)?, Type::Text);
                Expr::new(self.formatted("print", &[dumped]), Type::Unit)
            }
            ("var_dump", things) if !things.is_empty() => {
                let dumped: Option<Vec<Expr>> =
                    things.iter().map(|thing| Some(Expr::new(self.dumped(node, name, thing)?, Type::Text))).collect();
                Expr::new(self.formatted("print", &dumped?), Type::Unit)
            }
            ("error_log", [thing]) => Expr::new(self.formatted("eprintln", std::slice::from_ref(thing)), Type::Unit),
            ("uniqid", [] | [_]) => {
                let unique = code!("{UNIQID}()");
                match given.first().filter(|prefix| prefix.literal.as_deref() != Some("")) {
                    None => Expr::new(unique, Type::Text),
                    Some(prefix) => {
                        let parts = [prefix.clone(), Expr::new(unique, Type::Text)];
                        Expr::new(self.formatted("format", &parts), Type::Text)
                    }
                }
            }
            ("microtime", [yes]) if yes.code.as_truth() == Some(true) => {
                let since = "std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)";
                Expr::new(code!("{since}.unwrap_or_default().as_secs_f64()"), Type::Float)
            }
            ("usleep", [time]) if time.ty == Type::Int => Expr::new(
                code!("std::thread::sleep(std::time::Duration::from_micros({}.unsigned_abs()))", literal_i64(time)),
                Type::Unit,
            ),
            ("sleep", [time]) if time.ty == Type::Int => Expr::new(
                code!("std::thread::sleep(std::time::Duration::from_secs({}.unsigned_abs()))", literal_i64(time)),
                Type::Unit,
            ),
            _ => return None,
        })
    }

    /// An `f64`, for a function that takes numbers.
    fn number(&mut self, e: &Expr) -> Code {
        if matches!(e.ty, Type::Value | Type::Text) {
            let (value, end) = (self.value_ref(e), self.try_any());
            return code!("{PHP}::float_argument({value}){end}");
        }
        self.float(e)
    }

    /// A `&Value`.
    fn operand_value(&mut self, e: &Expr) -> Code {
        if e.ty == Type::Value { self.operand(e) } else { code!("&{}", self.value(e)) }
    }

    /// Whether the flags of `json_encode` are names that are carried over.
    fn knows_flags(&self, node: Node<'t>) -> bool {
        let flags = node.child_by_field_name("arguments").and_then(|given| given.named_child(1));
        let text = flags.map(|flags| self.text(flags)).unwrap_or_default();
        if text.starts_with('$') && !self.marks.has_unknown_flags {
            // A variable: the file has no other flags.
            return true;
        }
        flags.is_some_and(|flags| {
            self.text(flags).split('|').all(|flag| {
                matches!(
                    flag.trim().trim_start_matches('\\'),
                    "JSON_UNESCAPED_SLASHES"
                        | "JSON_PRETTY_PRINT"
                        | "JSON_UNESCAPED_UNICODE"
                        | "JSON_PRESERVE_ZERO_FRACTION"
                        | "JSON_THROW_ON_ERROR"
                        | "64"
                        | "128"
                        | "256"
                        | "320"
                        | "0"
                )
            })
        })
    }

    /// The text of a value for `print_r`, `var_dump` and `var_export`; `None` for what may be an
    /// object, whose text PHP makes of its class and number.
    fn dumped(&mut self, node: Node<'t>, name: &str, thing: &Expr) -> Option<Code> {
        let given = node.child_by_field_name("arguments")?;
        let may_be_object =
            thing.ty == Type::Value && self.marks.has_loose_objects && !super::next_key::is_closed(given);
        if thing.ty.is_object() || may_be_object || thing.ty == Type::Bytes {
            return None;
        }
        Some(code!("{PHP}::{name}({})", self.operand_value(thing)))
    }

    pub(super) fn of_files(&mut self, name: &str, given: &[Expr]) -> Option<Expr> {
        Some(match (name, given) {
            ("getenv", [key]) => {
                let key = self.str(key);
                Expr::new(code!("std::env::var({key}).unwrap_or_default()"), Type::Text)
            }
            ("file_put_contents", [path, contents]) => {
                let (path, contents) = (self.str(path), self.bytes(contents));
                let end = self.try_any();
                Expr::new(code!("std::fs::write({path}, {contents}){end}"), Type::Unit)
            }
            ("file_put_contents", [path, contents, flags])
                if file_flags(flags).is_some_and(|flags| flags.iter().all(|flag| matches!(flag, Some(8 | 2)))) =>
            {
                let appends = file_flags(flags)?.contains(&Some(8));
                let (path, contents) = (self.str(path), self.bytes(contents));
                let end = self.try_any();
                let code = if appends {
                    code!(
                        "std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).create(true).open({path}){end}, {contents}){end}"
                    )
                } else {
                    code!("std::fs::write({path}, {contents}){end}")
                };
                Expr::new(code, Type::Unit)
            }
            ("unlink", [path]) => {
                let path = self.str(path);
                let end = self.try_any();
                Expr::new(code!("std::fs::remove_file({path}){end}"), Type::Unit)
            }
            ("realpath", [path]) if !path.ty.is_object() => {
                let path = self.coerced(path, &Type::Text)?;
                let (path, end) = (self.str(&path), self.try_any());
                Expr::new(code!("{PHP}::realpath({path}){end}"), Type::Value)
            }
            ("file_exists" | "is_file", [path]) => {
                let path = self.str(path);
                let asks = if name == "is_file" { "is_file" } else { "exists" };
                Expr::new(code!("std::path::Path::new({path}).{asks}()"), Type::Bool)
            }
            ("basename", [path]) => {
                let path = self.plain_str(path);
                Expr::new(
                    code!("{path}.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()"),
                    Type::Text,
                )
            }
            ("sha1_file" | "md5_file", [path]) => {
                let digest = name.trim_end_matches("_file");
                let path = self.str(path);
                let end = self.try_any();
                Expr::new(code!("{HASH}::{digest}(std::fs::read({path}){end})"), Type::Text)
            }
            ("hash_file", [algorithm, path]) => {
                let name =
                    algorithm.literal.clone().filter(|name| matches!(name.as_str(), "md5" | "sha1" | "sha256"))?;
                let path = self.str(path);
                let end = self.try_any();
                Expr::new(code!("{HASH}::{name}(std::fs::read({path}){end})"), Type::Text)
            }
            ("hash", [algorithm, thing]) => {
                let name =
                    algorithm.literal.clone().filter(|name| matches!(name.as_str(), "md5" | "sha1" | "sha256"))?;
                let thing = if thing.ty == Type::Bytes { thing.reference() } else { self.str(thing) };
                Expr::new(code!("{HASH}::{name}({thing})"), Type::Text)
            }
            _ => return None,
        })
    }
}

/// The flags of `file_put_contents`.
fn file_flags(flags: &Expr) -> Option<Vec<Option<i64>>> {
    Some(flags.code.as_flags()?.iter().map(Code::as_number).collect())
}

/// The flags of `json_encode`, by their names.
fn json_flags(flags: &[Code]) -> Code {
    let named: Vec<Code> = flags
        .iter()
        // JSON_THROW_ON_ERROR: an error is returned anyway.
        .filter(|flag| flag.as_number() != Some(4_194_304))
        .map(|flag| match flag.as_number() {
            Some(64) => code!("{PHP}::JSON_UNESCAPED_SLASHES"),
            Some(128) => code!("{PHP}::JSON_PRETTY_PRINT"),
            Some(256) => code!("{PHP}::JSON_UNESCAPED_UNICODE"),
            Some(1024) => code!("{PHP}::JSON_PRESERVE_ZERO_FRACTION"),
            _ => flag.clone(),
        })
        .collect();
    if named.is_empty() { Code::number(0) } else { Code::joined(&named, " | ") }
}

/// An integer that a method can be called on.
fn literal_i64(e: &Expr) -> Code {
    if e.code.as_number().is_some() && e.form == Form::Owned { code!("{}_i64", e.code) } else { e.tight() }
}
