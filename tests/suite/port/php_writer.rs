//! Generates PHP that makes the calls of the corpus, in the various styles that merchants use.
//!
//! The style follows from the number of the row, so that the output is the same every time.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use crate::call::corpus::text;

/// The forms of a call, in the order of the calls in a function.
pub(crate) const FORMS: [&str; 6] = ["pure", "path", "index", "pure async", "path async", "index async"];

/// A PHP file and its functions.
pub(crate) struct Script {
    pub(crate) php: String,
    pub(crate) functions: Vec<Function>,
}

/// A PHP function that makes calls of one row.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) row: usize,
    /// The positions in [`FORMS`].
    pub(crate) forms: Vec<usize>,
}

/// A PHP script with a function for each row, all of which it calls. Files to upload are written to
/// the folder.
pub(crate) fn script(rows: &[Value], folder: &Path) -> Script {
    let (mut constants, mut bodies, mut functions) = (String::new(), String::new(), Vec::new());
    for (number, row) in rows.iter().enumerate() {
        let mut writer = Writer::new(number, row, folder);
        // A failed call ends its function, so each form of such a row has its own function.
        let groups: Vec<Vec<usize>> =
            if row.get("slip").is_some() { (0..6).map(|form| vec![form]).collect() } else { vec![(0..6).collect()] };
        for forms in groups {
            let name = match forms.as_slice() {
                [form] => format!("row_{number:04}_form_{form}"),
                _ => format!("row_{number:04}"),
            };
            bodies.push_str(&writer.function(&name, &forms));
            functions.push(Function { name, row: number, forms });
        }
        constants.push_str(&writer.constants);
    }
    let mut php = String::from(HEAD);
    php.push_str(&constants);
    php.push_str(&bodies);
    php.push_str(FACTORY);
    for function in &functions {
        let _ = writeln!(php, "{}($instance);", function.name);
    }
    Script { php, functions }
}

const HEAD: &str = r"<?php

declare(strict_types=1);

require_once 'vendor/autoload.php';

use GuzzleHttp\Psr7\Utils;
use WeChatPay\Builder;
use WeChatPay\BuilderChainable;
use WeChatPay\Util\MediaUtil as Media;

";

const FACTORY: &str = r"
$instance = Builder::factory([
    'mchid'      => getenv('WXPAY_MCHID'),
    'serial'     => getenv('WXPAY_SERIAL'),
    'privateKey' => getenv('WXPAY_PRIVATE_KEY'),
    'certs'      => [getenv('WXPAY_PLATFORM_ID') => getenv('WXPAY_PLATFORM_KEY')],
    'secret'     => getenv('WXPAY_SECRET'),
]);
";

struct Writer<'a> {
    number: usize,
    row: &'a Value,
    folder: &'a Path,
    /// `const` and `define` statements for the top of the file.
    constants: String,
    /// Statements that must precede the current one.
    before: String,
    strings: usize,
    numbers: usize,
    /// Whether arrays are on one line, which excludes heredocs.
    flat: bool,
}

impl<'a> Writer<'a> {
    fn new(number: usize, row: &'a Value, folder: &'a Path) -> Self {
        let flat = number % 4 == 3;
        Writer { number, row, folder, constants: String::new(), before: String::new(), strings: 0, numbers: 0, flat }
    }

    fn function(&mut self, name: &str, forms: &[usize]) -> String {
        let parameter = ["BuilderChainable $instance", "\\WeChatPay\\BuilderChainable $instance", "$instance"];
        let mut php = format!(
            "/**\n * {}\n */\nfunction {name}({}){}\n{{\n",
            text(self.row, "/id"),
            parameter[self.number % 3],
            if self.number % 2 == 0 { ": void" } else { "" },
        );
        let upload = self.row.pointer("/expect/multipart").is_some();
        if !upload && self.number % 8 != 1 {
            let statements = self.options_statements();
            php.push_str(&std::mem::take(&mut self.before));
            php.push_str(&statements);
        }
        for &form in forms {
            if upload {
                // A stream can be read once, so each call has its own.
                let statements = self.upload_statements(form);
                php.push_str(&std::mem::take(&mut self.before));
                php.push_str(&statements);
            }
            let call = self.call(form, upload);
            php.push_str(&std::mem::take(&mut self.before));
            php.push_str(&call);
        }
        php.push_str("}\n\n");
        php
    }

    /// Assigns the options to a variable: as one array, in two parts, or element by element.
    fn options_statements(&mut self) -> String {
        let Some(options) = self.row.get("options").and_then(Value::as_object).cloned() else {
            return String::new();
        };
        match self.number % 8 {
            5 => {
                let mut php = format!("    $options = {};\n", if self.number % 16 == 5 { "[]" } else { "array()" });
                for (key, value) in &options {
                    let _ = writeln!(php, "    $options['{key}'] = {};", self.value(value, 1));
                }
                php
            }
            style @ (4 | 6) if options.len() > 1 => {
                let halves: [Map<String, Value>; 2] =
                    [options.clone().into_iter().take(1).collect(), options.clone().into_iter().skip(1).collect()];
                let [first, rest] = halves.map(|half| self.value(&Value::Object(half), 1));
                match style {
                    4 => format!("    $common = {first};\n    $options = [...$common, ...{rest}];\n"),
                    _ if self.number % 16 == 6 => format!("    $options = {first};\n    $options += {rest};\n"),
                    _ => format!("    $options = array_merge({first}, {rest});\n"),
                }
            }
            _ => format!("    $options = {};\n", self.value(&Value::Object(options), 1)),
        }
    }

    fn upload_statements(&mut self, form: usize) -> String {
        let parts = &self.row["expect"]["multipart"];
        let (filename, contents) = (text(parts, "/filename"), text(parts, "/file_content"));
        let mut php = if (self.number + form) % 2 == 0 {
            let folder = self.folder.join(format!("row{:04}", self.number));
            std::fs::create_dir_all(&folder).expect("folder");
            std::fs::write(folder.join(filename), contents).expect("written");
            let path = folder.join(filename);
            format!("    $media = new Media({});\n", quoted(path.to_str().expect("path")))
        } else {
            let stream = format!("Utils::streamFor({})", double_quoted(contents));
            format!("    $media = new Media({}, {stream});\n", quoted(filename))
        };
        let meta = text(parts, "/meta");
        let fields: Value = serde_json::from_str(meta).expect("meta");
        if !(fields.get("filename").is_some() && fields.get("sha256").is_some()) {
            let _ = writeln!(php, "    $media->setMeta({});", quoted(meta));
        }
        let mut options = self.row.get("options").and_then(Value::as_object).cloned().unwrap_or_default();
        let headers = options.remove("headers");
        php.push_str("    $options = [\n        'body' => $media->getStream(),\n        'headers' => [\n");
        let name = if self.number % 2 == 0 { "Content-Type" } else { "content-type" };
        let _ = writeln!(php, "            '{name}' => $media->getContentType(),");
        for (name, value) in headers.as_ref().and_then(Value::as_object).into_iter().flatten() {
            if name != "Content-Type" {
                let _ = writeln!(php, "            '{name}' => {},", self.value(value, 3));
            }
        }
        php.push_str("        ],\n");
        for (key, value) in &options {
            let _ = writeln!(php, "        '{key}' => {},", self.value(value, 2));
        }
        php.push_str("    ];\n");
        php
    }

    /// One call, as a statement.
    fn call(&mut self, form: usize, upload: bool) -> String {
        let options = match self.row.get("options") {
            None => ["", "[]"][self.number % 2].to_owned(),
            Some(options) if !upload && self.number % 8 == 1 => self.value(&options.clone(), 1),
            Some(_) => "$options".to_owned(),
        };
        let chain = match form % 3 {
            0 => self.pure(),
            1 => self.path(),
            _ => self.index(),
        };
        let verb = text(self.row, "/method").to_lowercase();
        let comment = ["", "    // 链式\n", "    # the next form\n", "    /* once more */\n"][(self.number + form) % 4];
        if form < 3 {
            let call = format!("{chain}->{verb}({options})");
            return comment.to_owned()
                + &match (self.number + form) % 3 {
                    0 => format!("    {call};\n"),
                    1 => format!(
                        "    $response = {call};\n    echo $response->getStatusCode(), ' ', $response->getBody(), PHP_EOL;\n"
                    ),
                    _ => format!("    $resp = {call};\n    echo (string) $resp->getBody() . PHP_EOL;\n"),
                };
        }
        let call = format!("{chain}->{verb}Async({options})");
        let slip = self.row.get("slip").is_some();
        comment.to_owned()
            + &match (self.number + form) % 6 {
                0 if !slip => {
                    let (used, shown) = match self.number % 2 {
                        0 => {
                            self.before.push_str("    $label = 'response: ';\n");
                            (" use ($label)", "$label . ")
                        }
                        _ => ("", ""),
                    };
                    format!(
                        "    {call}\n    ->then(static function ($response){used} {{\n        // 正常\n        echo {shown}$response->getBody(), PHP_EOL;\n    }})->otherwise(static function ($e) {{\n        echo $e->getMessage(), PHP_EOL;\n    }})->wait();\n"
                    )
                }
                1 => format!("    $promise = {call};\n    $promise->wait();\n"),
                2 => format!("    {call}->then(fn ($response) => $response)->wait();\n"),
                3 => format!(
                    "    $result = {call}\n        ->then(function ($response) {{ return (string) $response->getBody(); }})\n        ->wait();\n    print_r($result);\n"
                ),
                4 => format!("    $response = {call}->wait();\n    echo $response->getStatusCode(), PHP_EOL;\n"),
                _ => format!("    {call}->wait();\n"),
            }
    }

    /// `$instance->v3->pay->...`, with some names in braces.
    fn pure(&mut self) -> String {
        let names: Vec<&str> =
            self.row["pure_chain"].as_array().expect("chain").iter().filter_map(Value::as_str).collect();
        let template: Vec<&str> = text(self.row, "/template").split('/').collect();
        let arrow = if self.number % 5 == 4 { "\n        ->" } else { "->" };
        let mut php = String::from("$instance");
        for (position, name) in names.iter().enumerate() {
            if self.number % 11 == 7 && position + 1 == names.len() {
                let _ = writeln!(self.before, "    $segment = '{name}';");
                let _ = write!(php, "{arrow}{{$segment}}");
                break;
            }
            let braces = template.len() == names.len() && position > 0 && (self.number + position) % 3 == 1;
            let _ = match (braces, self.number % 2) {
                (true, 0) => write!(php, "{arrow}{{'{}'}}", template[position]),
                (true, _) => write!(php, "{arrow}{{\"{}\"}}", template[position]),
                (false, _) => write!(php, "{arrow}{name}"),
            };
        }
        php
    }

    /// `$instance->chain('...')`, whole or in parts, with a prefix in a variable, or in camelCase.
    fn path(&mut self) -> String {
        let template = text(self.row, "/template");
        let segments: Vec<&str> = template.split('/').collect();
        let half = segments.len() / 2;
        let (head, tail) = (segments[..half.max(1)].join("/"), segments[half.max(1)..].join("/"));
        match self.number % 7 {
            1 => format!("$instance->chain(\"{template}\")"),
            2 => format!("$instance->chain('{head}')->chain('{tail}')"),
            3 => {
                let _ = writeln!(self.before, "    $prefix = $instance->chain('{head}');");
                format!("$prefix->chain('{tail}')")
            }
            4 => format!("$instance->chain('{}')", camel(template)),
            5 => format!("$instance->{}->chain('{}')", segments[0], segments[1..].join("/")),
            6 => {
                let _ = writeln!(self.before, "    $path = '{template}';");
                "$instance->chain($path)".to_owned()
            }
            _ => format!("$instance->chain('{template}')"),
        }
    }

    /// `$instance['...']`, with one or two indexes.
    fn index(&self) -> String {
        let template = text(self.row, "/template");
        match (self.number % 6, template.split_once('/')) {
            (2, Some((head, tail))) => format!("$instance['{head}']['{tail}']"),
            (4, _) => format!("$instance[\"{}\"]", template.replace('{', "\\x7B")),
            _ => format!("$instance['{template}']"),
        }
    }

    /// A value as PHP. `depth` is the indentation of its line.
    fn value(&mut self, value: &Value, depth: usize) -> String {
        match value {
            Value::Bool(true) => ["true", "TRUE", "(bool) 1", "!false"][self.number % 4].to_owned(),
            Value::Bool(false) => ["false", "False", "!true"][self.number % 3].to_owned(),
            Value::Number(number) => number.as_i64().map_or_else(|| number.to_string(), |whole| self.integer(whole)),
            Value::Null => "null".to_owned(),
            Value::String(text) => self.string(text, depth),
            Value::Array(items) => {
                let items = items.iter().map(|item| (None, item)).collect::<Vec<_>>();
                self.array(&items, depth)
            }
            Value::Object(members) if members.is_empty() => {
                ["(object) []", "new \\stdClass()"][self.number % 2].to_owned()
            }
            Value::Object(members) => {
                let items = members.iter().map(|(key, value)| (Some(key.as_str()), value)).collect::<Vec<_>>();
                self.array(&items, depth)
            }
        }
    }

    fn array(&mut self, items: &[(Option<&str>, &Value)], depth: usize) -> String {
        let (open, close) = if self.number % 5 == 2 { ("array(", ")") } else { ("[", "]") };
        if items.is_empty() {
            return format!("{open}{close}");
        }
        let (indent, outer) = ("    ".repeat(depth + 1), "    ".repeat(depth));
        let trailing = if self.number % 2 == 0 { "," } else { "" };
        let mut written = Vec::with_capacity(items.len());
        for (position, (key, value)) in items.iter().enumerate() {
            let value = self.value(value, depth + 1);
            let key = match key {
                None => String::new(),
                Some(key) if (self.number + position) % 9 == 3 => format!("{} => ", double_quoted(key)),
                Some(key) => format!("{}{}=> ", quoted(key), if self.number % 3 == 0 { "    " } else { " " }),
            };
            let comment = match (self.flat, (self.number + position) % 10) {
                (false, 3) => {
                    format!("// {}\n{indent}", ["必填", "the service's own number", "don't change"][position % 3])
                }
                (false, 6) => format!("# number {position}\n{indent}"),
                (_, 9) => "/* optional */ ".to_owned(),
                _ => String::new(),
            };
            written.push(format!("{comment}{key}{value}"));
        }
        if self.flat {
            return format!("{open}{}{close}", written.join(", "));
        }
        format!("{open}\n{indent}{}{trailing}\n{outer}{close}", written.join(&format!(",\n{indent}")))
    }

    fn integer(&mut self, number: i64) -> String {
        self.numbers += 1;
        match (self.number + self.numbers) % 9 {
            1 => format!("(int) '{number}'"),
            2 => format!("intval('{number}')"),
            3 if number >= 10_000 => format!("{}_{:03}", number / 1000, number % 1000),
            4 if number > 1 => format!("{} + 1", number - 1),
            5 if number > 0 && number % 100 == 0 => format!("{} * 100", number / 100),
            _ => number.to_string(),
        }
    }

    fn string(&mut self, text: &str, depth: usize) -> String {
        self.strings += 1;
        let (row, nth) = (self.number, self.strings);
        let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        let (head, tail) = text.split_at(half);
        let canonical = || {
            serde_json::from_str::<Value>(text).ok().filter(|value| {
                let written = value.to_string();
                (value.is_object() || value.is_array()) && written == text && !text.contains('.')
            })
        };
        if let Some(value) = canonical().filter(|_| nth % 2 == 0) {
            let flags = "JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES";
            return format!("json_encode({}, {flags})", self.value(&value, depth));
        }
        match (row * 7 + nth) % 20 {
            1 | 2 => double_quoted(text),
            3 if half > 0 => format!("{} . {}", quoted(head), double_quoted(tail)),
            4 if !self.flat => {
                let indent = "    ".repeat(depth + 1);
                let text = text.replace('\\', "\\\\").replace('$', "\\$");
                format!("<<<TEXT\n{indent}{text}\n{indent}TEXT")
            }
            5 if !self.flat => {
                let indent = "    ".repeat(depth + 1);
                format!("<<<'TEXT'\n{indent}{text}\n{indent}TEXT")
            }
            6 => {
                let _ = writeln!(self.constants, "const ROW_{row}_{nth} = {};", quoted(text));
                format!("ROW_{row}_{nth}")
            }
            7 => {
                let _ = writeln!(self.constants, "define('ROW_{row}_{nth}', {});", double_quoted(text));
                format!("\\ROW_{row}_{nth}")
            }
            8 if half > 0 => {
                let _ = writeln!(self.before, "    $part{nth} = {};", quoted(head));
                let tail = double_quoted(tail);
                format!("\"{{$part{nth}}}{}", &tail[1..])
            }
            9 if half > 0 => {
                let _ = writeln!(self.before, "    $nextPart{nth} = {};", quoted(tail));
                format!("{} . $nextPart{nth}", quoted(head))
            }
            10 if text.parse::<i64>().is_ok_and(|number| number.to_string() == text) => format!("(string) {text}"),
            11 if text.parse::<i64>().is_ok_and(|number| number.to_string() == text) => format!("strval({text})"),
            12 if half > 0 => format!("sprintf('%s%s', {}, {})", quoted(head), quoted(tail)),
            _ => quoted(text),
        }
    }
}

/// The template with its names in camelCase, except variables, whose case PHP would change, too.
fn camel(template: &str) -> String {
    let segment = |segment: &str| {
        let mut words = segment.split('-');
        let first = words.next().unwrap_or_default().to_owned();
        let plain = words.clone().all(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
        if segment.starts_with('{') || !plain {
            return segment.to_owned();
        }
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    };
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// A string in single quotes.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A string in double quotes, with `\u{...}` for characters outside of ASCII.
fn double_quoted(text: &str) -> String {
    let mut php = String::from("\"");
    for character in text.chars() {
        match character {
            '\\' | '"' | '$' => php.extend(['\\', character]),
            '\n' => php.push_str("\\n"),
            character if !character.is_ascii() => {
                let _ = write!(php, "\\u{{{:x}}}", u32::from(character));
            }
            character => php.push(character),
        }
    }
    php + "\""
}
