//! Generates PHP programs from a seed, in the ways in which merchants write code around the SDK:
//! arrays with all kinds of keys, loops, branches, functions and methods with defaults and null,
//! arithmetic of strings and numbers, comparisons, `switch`, JSON and exceptions.

use std::fmt::Write as _;

use super::php_expressions::KINDS;

/// The program of a seed.
pub(crate) fn program(seed: u64) -> String {
    let mut writer = Writer::new(seed);
    writer.program();
    writer.out
}

/// What a variable holds, as far as the generator knows.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Int,
    Float,
    /// A number, or a string that is one.
    Number,
    Text,
    Bool,
    List,
    Map,
    /// Any scalar.
    Scalar,
    /// A scalar or null.
    Nullable,
    /// A property with a declared type that may be null. Expressions do not use it.
    Null,
}

#[derive(Clone)]
pub(super) struct Function {
    pub(super) name: String,
    /// The kinds of the parameters, and how many are required.
    pub(super) parameters: Vec<Kind>,
    pub(super) required: usize,
    pub(super) is_static: bool,
}

pub(super) struct Writer {
    pub(super) state: u64,
    pub(super) out: String,
    pub(super) depth: usize,
    /// The variables that are in scope, with their kinds.
    pub(super) variables: Vec<(String, Kind)>,
    pub(super) functions: Vec<Function>,
    /// The methods of each class; the first is its constructor.
    pub(super) classes: Vec<Vec<Function>>,
    /// The methods that the current method may call.
    pub(super) methods: Vec<Function>,
    /// The number of variables so far.
    pub(super) count: usize,
    pub(super) loops: usize,
    pub(super) in_function: bool,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
        let (variables, functions) = (Vec::new(), Vec::new());
        Writer {
            state,
            out: String::new(),
            depth: 0,
            variables,
            functions,
            classes: Vec::new(),
            methods: Vec::new(),
            count: 0,
            loops: 0,
            in_function: false,
        }
    }

    /// A number below `most` (xorshift).
    pub(super) fn below(&mut self, most: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap_or_default() % most.max(1)
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len());
        from[at]
    }

    pub(super) fn line(&mut self, text: &str) {
        let space = "    ".repeat(self.depth);
        let _ = writeln!(self.out, "{space}{text}");
    }

    pub(super) fn fresh(&mut self, kind: Kind) -> String {
        self.count += 1;
        let name = format!("$v{}", self.count);
        self.variables.push((name.clone(), kind));
        name
    }

    fn program(&mut self) {
        self.out.push_str("<?php\n");
        self.line(
            r#"$data = json_decode('{"n":5,"f":2.5,"s":"12.50","t":true,"z":null,"e":"","l":[3,1,2],"o":{"k":"v","q":2},"rows":[{"id":1,"amount":"9.9"},{"id":2,"amount":10}],"m":{"5":"five","x":1.0},"u":"https://a/b?c=微信"}', true);"#,
        );
        for _ in 0..self.below(3) {
            self.function();
        }
        for _ in 0..self.below(3) {
            self.class();
        }
        for kind in [Kind::Int, Kind::Text, Kind::Map] {
            self.declare(kind);
        }
        for _ in 0..3 + self.below(6) {
            self.statement();
        }
        self.show_all();
    }

    /// Generates parameters with and without types and defaults. Returns their PHP code, their
    /// kinds, and the number of required parameters. They become the variables that are in scope.
    pub(super) fn parameters(&mut self) -> (Vec<String>, Vec<Kind>, usize) {
        let count = 1 + self.below(3);
        let required = 1 + self.below(count);
        let (mut kinds, mut written) = (Vec::new(), Vec::new());
        for number in 0..count {
            let typed = self.chance(40);
            let (kind, ty) = self.pick(&[
                (Kind::Int, "int"),
                (Kind::Text, "string"),
                (Kind::Map, "array"),
                (Kind::Bool, "bool"),
                (Kind::Float, "float"),
                (Kind::Scalar, ""),
            ]);
            let parameter = self.fresh(kind);
            let ty = if typed && !ty.is_empty() { format!("{ty} ") } else { String::new() };
            let mut inner = kind;
            let default = if number < required {
                String::new()
            } else if self.chance(30) && kind != Kind::Map {
                inner = Kind::Nullable;
                let mark = if ty.is_empty() { "" } else { "?" };
                written.push(format!("{mark}{ty}{parameter} = null"));
                self.variables.last_mut().expect("a variable").1 = inner;
                kinds.push(kind);
                continue;
            } else {
                format!(" = {}", default_of(kind, self.below(20)))
            };
            if ty.is_empty() && !default.is_empty() && kind != Kind::Map {
                inner = Kind::Scalar;
            }
            self.variables.last_mut().expect("a variable").1 = inner;
            written.push(format!("{ty}{parameter}{default}"));
            kinds.push(if ty.is_empty() && kind != Kind::Map { Kind::Scalar } else { kind });
        }
        (written, kinds, required)
    }

    /// Writes the statements of a function or method, which returns a value.
    pub(super) fn body(&mut self) {
        self.depth += 1;
        let outer = std::mem::replace(&mut self.in_function, true);
        for _ in 0..1 + self.below(3) {
            self.statement();
        }
        let names: Vec<String> = self.variables.iter().map(|(name, _)| name.clone()).collect();
        if self.chance(30) {
            let (condition, value) = (self.condition(1), self.any(1));
            self.line(&format!("if ({condition}) {{ return {value}; }}"));
        }
        let result = if self.chance(50) { format!("[{}]", names.join(", ")) } else { self.any(1) };
        self.line(&format!("return {result};"));
        self.in_function = outer;
        self.depth -= 1;
    }

    fn function(&mut self) {
        let outer = std::mem::take(&mut self.variables);
        let name = format!("f{}", self.functions.len());
        let (written, kinds, required) = self.parameters();
        self.line(&format!("function {name}({}) {{", written.join(", ")));
        self.body();
        self.line("}");
        self.variables = outer;
        self.functions.push(Function { name, parameters: kinds, required, is_static: false });
    }

    pub(super) fn declare(&mut self, kind: Kind) {
        let value = self.of(kind, 2);
        let name = self.fresh(kind);
        self.line(&format!("{name} = {value};"));
    }

    pub(super) fn block(&mut self, count: usize) {
        self.depth += 1;
        let before = self.variables.len();
        for _ in 0..count {
            self.statement();
        }
        // Variables of a branch may have no value after it; they are shown with `??`.
        let declared: Vec<(String, Kind)> = self.variables.split_off(before);
        self.depth -= 1;
        if let Some((name, _)) = declared.last().filter(|_| self.count % 3 == 0) {
            let name = name.clone();
            self.depth += 1;
            self.line(&format!("echo json_encode({name}), \"\\n\";"));
            self.depth -= 1;
        }
    }

    pub(super) fn statement(&mut self) {
        if self.depth > 3 {
            let kind = self.pick(&KINDS);
            return self.declare(kind);
        }
        match self.below(25) {
            22 | 23 => self.method_call(),
            0 | 1 => {
                let kind = self.pick(&KINDS);
                self.declare(kind);
            }
            2 | 3 => {
                let condition = self.condition(2);
                self.line(&format!("if ({condition}) {{"));
                self.block(2);
                if self.chance(30) {
                    let condition = self.condition(1);
                    self.line(&format!("}} elseif ({condition}) {{"));
                    self.block(1);
                }
                if self.chance(40) {
                    self.line("} else {");
                    self.block(1);
                }
                self.line("}");
            }
            4 => self.assign(),
            5 | 6 => self.element(),
            7 => self.foreach(),
            8 => self.counted(),
            9 => {
                let value = self.any(2);
                self.line(&format!("echo json_encode({value}), \"\\n\";"));
            }
            10 => {
                let (text, value) = (self.of(Kind::Text, 2), self.of(Kind::Nullable, 1));
                self.line(&format!("echo {text}, '|', {value}, \"\\n\";"));
            }
            11 => self.call(),
            12 => self.switch(),
            13 => self.attempt(),
            14 => self.maybe(),
            15 => self.append(),
            16 => self.repeated(),
            17 => {
                let condition = self.condition(1);
                let (a, b) = (self.any(1), self.any(1));
                let name = self.fresh(Kind::Nullable);
                self.variables.pop();
                self.line(&format!("{name} = {a};"));
                self.line(&format!("if ({condition}) {{ {name} = {b}; }}"));
                self.line(&format!("echo json_encode({name}), \"\\n\";"));
            }
            18 => {
                if let Some(name) = self.variable(Kind::Map) {
                    let (key, value) = (self.key(), self.of(Kind::Scalar, 1));
                    self.line(&format!("echo json_encode({name}[{key}] ?? {value}), \"\\n\";"));
                }
            }
            19 => {
                if let (Some(name), true) = (self.variable(Kind::Map), self.loops == 0) {
                    let key = self.key();
                    self.line(&format!("unset({name}[{key}]);"));
                }
            }
            20 => {
                let (one, other) = (self.list(1), self.fresh(Kind::Nullable));
                let another = self.fresh(Kind::Nullable);
                self.line(&format!("[{other}, {another}] = {one} + [1, 'two'];"));
            }
            _ => {
                let kind = self.pick(&[Kind::Int, Kind::Number, Kind::Text]);
                self.declare(kind);
            }
        }
    }

    /// Another value, sometimes of another type.
    fn assign(&mut self) {
        let kind = self.pick(&KINDS);
        // A loop might never end if its body assigned its counter.
        let Some(name) = self.variable(kind).filter(|name| !name.starts_with("$i")) else { return };
        // A loop would read the new kind in its next round.
        let other = if self.chance(25) && self.depth == 0 { self.pick(&KINDS) } else { kind };
        let value = self.of(other, 2);
        if matches!(kind, Kind::Number | Kind::Scalar | Kind::Nullable) && other == kind {
            let known = self.variables.iter().find(|(one, _)| *one == name).map(|(_, kind)| *kind);
            let value = self.of(known.unwrap_or(kind), 2);
            self.line(&format!("{name} = {value};"));
            return;
        }
        self.line(&format!("{name} = {value};"));
        if let Some(one) = self.variables.iter_mut().find(|(one, _)| *one == name) {
            one.1 = other;
        }
    }

    fn element(&mut self) {
        match (self.chance(60), self.variable(Kind::Map), self.variable(Kind::List)) {
            (true, Some(map), _) => {
                let (key, value) = (self.key(), self.any(1));
                match self.below(6) {
                    0 => {
                        let inner = self.key();
                        self.line(&format!("{map}['o'][{inner}] = {value};"));
                    }
                    1 => self.line(&format!("{map}['n'] = ({map}['n'] ?? 0) + 1;")),
                    2 => self.line(&format!("{map}[{key}] ??= {value};")),
                    3 => self.line(&format!("{map}['items'][] = {value};")),
                    _ => self.line(&format!("{map}[{key}] = {value};")),
                }
            }
            (_, _, Some(list)) => {
                let value = self.of(Kind::Scalar, 1);
                self.line(&format!("{list}[] = {value};"));
            }
            _ => self.declare(Kind::List),
        }
    }

    fn show_all(&mut self) {
        let names: Vec<String> = self.variables.iter().map(|(name, _)| name.clone()).collect();
        for name in names {
            self.line(&format!("echo '{}=', json_encode({name}), \"\\n\";", name.trim_start_matches('$')));
        }
    }
}

/// The default value of a parameter or property.
pub(super) fn default_of(kind: Kind, number: usize) -> String {
    match kind {
        Kind::Int => number.to_string(),
        Kind::Text => "'CNY'".to_owned(),
        Kind::Map => "[]".to_owned(),
        Kind::Bool => "false".to_owned(),
        Kind::Float => "1.5".to_owned(),
        _ => "0".to_owned(),
    }
}
