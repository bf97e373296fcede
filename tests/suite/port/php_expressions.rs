//! The expressions of the generated PHP programs.

use super::php_programs::{Kind, Writer};

pub(super) const KINDS: [Kind; 9] =
    [Kind::Int, Kind::Float, Kind::Number, Kind::Text, Kind::Bool, Kind::List, Kind::Map, Kind::Scalar, Kind::Nullable];

const KEYS: [&str; 8] = ["a", "total", "no", "list", "0", "7", "name", "x y"];
pub(super) const WORDS: [&str; 14] =
    ["abc", "", "0", "SUCCESS", "10", "1e1", " 7", "中文", "a/b", "12.50", "0.1", "null", "5 apples", "ABC"];

impl Writer {
    /// A variable of a kind, if there is one.
    pub(super) fn variable(&mut self, kind: Kind) -> Option<String> {
        let fits = |other: Kind| match kind {
            Kind::Number => matches!(other, Kind::Number | Kind::Int | Kind::Float),
            Kind::Scalar => !matches!(other, Kind::List | Kind::Map | Kind::Nullable),
            Kind::Nullable => !matches!(other, Kind::List | Kind::Map),
            kind => kind == other,
        };
        let found: Vec<String> =
            self.variables.iter().filter(|(_, other)| fits(*other)).map(|(name, _)| name.clone()).collect();
        if found.is_empty() { None } else { Some(found[self.below(found.len())].clone()) }
    }

    pub(super) fn any(&mut self, depth: usize) -> String {
        let kind = self.pick(&KINDS);
        self.of(kind, depth)
    }

    /// An expression of a kind.
    pub(super) fn of(&mut self, kind: Kind, depth: usize) -> String {
        if self.chance(35) {
            if let Some(name) = self.variable(kind) {
                return name;
            }
        }
        if depth > 0 && self.chance(10) {
            let (condition, a, b) = (self.condition(depth - 1), self.of(kind, depth - 1), self.of(kind, depth - 1));
            return format!("({condition} ? {a} : {b})");
        }
        match kind {
            Kind::Int => self.int(depth),
            Kind::Float => self.float(depth),
            Kind::Number => self.number(depth),
            Kind::Text => self.text(depth),
            Kind::Bool => self.condition(depth),
            Kind::List => self.list(depth),
            Kind::Map => self.map(depth),
            Kind::Scalar => {
                let kind = self.pick(&[Kind::Int, Kind::Float, Kind::Text, Kind::Bool, Kind::Number]);
                self.of(kind, depth)
            }
            Kind::Nullable if self.chance(30) => "null".to_owned(),
            Kind::Nullable if self.chance(30) && !self.in_function => {
                let key = self.pick(&["'n'", "'z'", "'e'", "'t'", "'none'", "'s'"]);
                format!("($data[{key}] ?? null)")
            }
            Kind::Nullable | Kind::Null => self.of(Kind::Scalar, depth),
        }
    }

    pub(super) fn int(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.below(120).to_string();
        }
        match self.below(10) {
            0 => format!("strlen({})", self.of(Kind::Text, depth - 1)),
            1 => format!("count({})", self.list(depth - 1)),
            2 => format!("(int) {}", self.of(Kind::Number, 0)),
            3 => format!("({} + {})", self.of(Kind::Int, depth - 1), self.of(Kind::Int, depth - 1)),
            4 => format!("({} * {})", self.of(Kind::Int, depth - 1), self.below(50)),
            5 => format!("({} - {})", self.of(Kind::Int, depth - 1), self.of(Kind::Int, depth - 1)),
            6 => format!("({} % {})", self.of(Kind::Int, 0), 1 + self.below(9)),
            7 => format!("intdiv({}, {})", self.of(Kind::Int, depth - 1), 1 + self.below(9)),
            8 if !self.in_function => "$data['n']".to_owned(),
            _ => self.below(120).to_string(),
        }
    }

    pub(super) fn float(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(&["0.1", "2.5", "12.5", "1.0", "0.285", "100.0", "1e3"]).to_owned();
        }
        match self.below(6) {
            0 => format!("round({}, {})", self.of(Kind::Number, depth - 1), self.below(3)),
            1 => format!("({} * 100)", self.of(Kind::Float, depth - 1)),
            2 => format!("({} + {})", self.of(Kind::Float, depth - 1), self.of(Kind::Number, depth - 1)),
            3 => format!("floatval({})", self.of(Kind::Number, 0)),
            4 if !self.in_function => "$data['f']".to_owned(),
            _ => self.pick(&["0.1", "2.5", "12.5", "1.0", "0.285", "100.0", "1e3"]).to_owned(),
        }
    }

    pub(super) fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(&["'12.50'", "'7'", "3", "2.5", "'0'", "' 4'", "'1e2'"]).to_owned();
        }
        let operator = self.pick(&["+", "-", "*"]);
        match self.below(5) {
            0 => format!("({} {operator} {})", self.of(Kind::Number, depth - 1), self.of(Kind::Number, depth - 1)),
            1 => format!("({} / {})", self.of(Kind::Number, depth - 1), 1 + self.below(7)),
            2 => format!("-{}", self.of(Kind::Number, 0)),
            3 if !self.in_function => "$data['s']".to_owned(),
            _ => self.of(Kind::Int, depth - 1),
        }
    }

    pub(super) fn text(&mut self, depth: usize) -> String {
        let word = self.pick(&WORDS);
        if depth == 0 {
            return format!("'{word}'");
        }
        match self.below(12) {
            0 | 1 => format!("({} . {})", self.of(Kind::Text, depth - 1), self.of(Kind::Scalar, depth - 1)),
            2 => format!("trim({})", self.of(Kind::Text, depth - 1)),
            3 => format!("strtoupper({})", self.of(Kind::Text, depth - 1)),
            4 => match self.variable(Kind::Scalar) {
                Some(name) => format!("\"no {name} {word}\""),
                None => format!("\"{word}\\n\""),
            },
            5 => format!("sprintf('%s-%d', {}, {})", self.of(Kind::Text, depth - 1), self.of(Kind::Int, depth - 1)),
            6 => format!("json_encode({})", self.any(depth - 1)),
            7 => format!("implode(',', {})", self.list(depth - 1)),
            8 => format!("str_replace('a', 'b', {})", self.of(Kind::Text, depth - 1)),
            9 => format!("number_format({}, 2, '.', '')", self.of(Kind::Float, depth - 1)),
            10 => format!("sprintf('%.2f', {})", self.of(Kind::Number, depth - 1)),
            _ => format!("'{word}'"),
        }
    }

    pub(super) fn list(&mut self, depth: usize) -> String {
        if let (true, Some(name)) = (self.chance(40), self.variable(Kind::List)) {
            return name;
        }
        if depth > 0 && self.chance(15) {
            return format!("array_values({})", self.map(depth - 1));
        }
        let count = self.below(4);
        let items: Vec<String> = (0..count).map(|_| self.of(Kind::Scalar, depth.saturating_sub(1))).collect();
        format!("[{}]", items.join(", "))
    }

    pub(super) fn key(&mut self) -> String {
        if self.chance(15) {
            return self.below(4).to_string();
        }
        if self.chance(10) {
            if let Some(name) = self.variable(Kind::Int) {
                return name;
            }
        }
        format!("'{}'", self.pick(&KEYS))
    }

    pub(super) fn map(&mut self, depth: usize) -> String {
        if let (true, Some(name)) = (self.chance(40), self.variable(Kind::Map)) {
            return name;
        }
        if depth > 0 {
            match self.below(12) {
                0 => return format!("array_merge({}, {})", self.map(depth - 1), self.map(depth - 1)),
                1 => return format!("({} + {})", self.map(depth - 1), self.map(depth - 1)),
                2 if !self.in_function => return self.pick(&["$data['o']", "$data['m']", "$data"]).to_owned(),
                3 => return format!("array_filter({})", self.map(depth - 1)),
                _ => {}
            }
        }
        let count = self.below(4);
        let items: Vec<String> = (0..count)
            .map(|_| {
                let (key, value) = (self.key(), self.any(depth.saturating_sub(1)));
                if self.chance(10) { value } else { format!("{key} => {value}") }
            })
            .collect();
        format!("[{}]", items.join(", "))
    }

    pub(super) fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(&["true", "false"]).to_owned();
        }
        let compare = self.pick(&["==", "!=", "===", "!==", "<", ">", "<=", ">="]);
        match self.below(12) {
            0 | 1 => format!("({} {compare} {})", self.of(Kind::Scalar, depth - 1), self.of(Kind::Scalar, depth - 1)),
            2 => format!("({} {compare} {})", self.of(Kind::Number, depth - 1), self.of(Kind::Int, depth - 1)),
            3 => {
                let operator = self.pick(&["==", "!=", "===", "!=="]);
                format!("({} {operator} null)", self.of(Kind::Nullable, depth - 1))
            }
            4 => format!("({} && {})", self.condition(depth - 1), self.condition(depth - 1)),
            5 => format!("({} || {})", self.condition(depth - 1), self.condition(depth - 1)),
            6 => format!("!{}", self.of(Kind::Scalar, 0)),
            7 => match self.variable(Kind::Map) {
                Some(name) => {
                    let key = self.key();
                    if self.chance(50) { format!("isset({name}[{key}])") } else { format!("empty({name}[{key}])") }
                }
                None => "true".to_owned(),
            },
            8 => match self.variable(Kind::Nullable) {
                Some(name) if self.chance(50) => format!("empty({name})"),
                Some(name) => format!("isset({name})"),
                None => "false".to_owned(),
            },
            9 => format!("in_array({}, {})", self.of(Kind::Scalar, depth - 1), self.list(depth - 1)),
            10 => format!("({} == 'SUCCESS')", self.of(Kind::Scalar, depth - 1)),
            _ => format!("({} > {})", self.of(Kind::Int, depth - 1), self.below(60)),
        }
    }
}
