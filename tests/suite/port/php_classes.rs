//! The classes of the generated PHP programs.

use super::php_programs::{Function, Kind, Writer, default_of};

impl Writer {
    /// Writes a class with properties, a constant, a constructor and methods, some of them static.
    pub(super) fn class(&mut self) {
        let outer = std::mem::take(&mut self.variables);
        let name = format!("C{}", self.classes.len());
        self.line(&format!("class {name}"));
        self.line("{");
        self.depth += 1;
        let rate = self.below(9);
        self.line(&format!("const RATE = {rate};"));
        let mut properties = Vec::new();
        for _ in 0..1 + self.below(3) {
            properties.push(self.declared_property());
        }
        let mut methods = vec![self.initializer(&properties)];
        for number in 0..1 + self.below(3) {
            methods.push(self.method(number, &properties));
        }
        self.methods.clear();
        self.depth -= 1;
        self.line("}");
        self.variables = outer;
        self.classes.push(methods);
    }

    fn declared_property(&mut self) -> (String, Kind) {
        self.count += 1;
        let name = format!("p{}", self.count);
        let (kind, ty) = self.pick(&[
            (Kind::Int, "int"),
            (Kind::Text, "string"),
            (Kind::Map, "array"),
            (Kind::Float, "float"),
            (Kind::Nullable, "?string"),
            (Kind::Nullable, "?int"),
        ]);
        let visible = self.pick(&["private", "protected", "public"]);
        let typed = self.chance(50);
        let ty = if typed { format!(" {ty}") } else { String::new() };
        let number = self.below(20);
        let default = match kind {
            Kind::Nullable => "null".to_owned(),
            kind => default_of(kind, number),
        };
        self.line(&format!("{visible}{ty} ${name} = {default};"));
        // If a property has no type, a method may assign a value of any type.
        let kind = match kind {
            Kind::Nullable if typed => Kind::Null,
            Kind::Map => Kind::Map,
            kind if typed => kind,
            _ => Kind::Nullable,
        };
        (format!("$this->{name}"), kind)
    }

    /// Writes a constructor that assigns some of the properties.
    fn initializer(&mut self, properties: &[(String, Kind)]) -> Function {
        let name = "__construct".to_owned();
        if self.chance(30) {
            return Function { name, parameters: Vec::new(), required: 0, is_static: false };
        }
        let (written, kinds, required) = self.parameters();
        self.line(&format!("public function __construct({})", written.join(", ")));
        self.line("{");
        self.depth += 1;
        let parameters = std::mem::take(&mut self.variables);
        for (property, kind) in properties {
            let given = parameters.iter().find(|(_, other)| other == kind);
            match given.filter(|_| *kind != Kind::Null) {
                Some((given, _)) => self.line(&format!("{property} = {given};")),
                None if self.chance(30) && *kind != Kind::Null => {
                    let value = self.of(*kind, 0);
                    self.line(&format!("{property} = {value};"));
                }
                None => {}
            }
        }
        if self.chance(20) {
            if let Some((given, _)) = parameters.first() {
                self.line(&format!("if (!{given}) {{ throw new \\InvalidArgumentException('empty'); }}"));
            }
        }
        self.depth -= 1;
        self.line("}");
        Function { name, parameters: kinds, required, is_static: false }
    }

    fn method(&mut self, number: usize, properties: &[(String, Kind)]) -> Function {
        let is_static = self.chance(15);
        let (written, kinds, required) = self.parameters();
        let name = format!("m{number}");
        let word = if is_static { "static " } else { "" };
        self.line(&format!("public {word}function {name}({})", written.join(", ")));
        self.line("{");
        let methods = if is_static { std::mem::take(&mut self.methods) } else { Vec::new() };
        if !is_static {
            self.variables.extend(properties.iter().filter(|(_, kind)| *kind != Kind::Null).cloned());
        }
        self.depth += 1;
        match self.below(5) {
            0 => {
                let (condition, text) = (self.condition(1), self.of(Kind::Text, 1));
                let class = self.pick(&["\\InvalidArgumentException", "\\RuntimeException", "\\Exception"]);
                self.line(&format!("if ({condition}) {{ throw new {class}({text}); }}"));
            }
            1 => self.line("echo self::RATE * 2, \"\\n\";"),
            2 if !is_static => {
                if let Some((property, _)) = properties.iter().find(|(_, kind)| *kind == Kind::Null) {
                    let value = self.below(2);
                    self.line(&format!("echo {property} === null ? 'null' : 'set', \"\\n\";"));
                    self.line(&format!("{property} = {property} ?? '{value}';"));
                }
            }
            _ => {}
        }
        self.depth -= 1;
        self.body();
        self.line("}");
        self.variables.clear();
        if is_static {
            self.methods = methods;
        }
        let method = Function { name, parameters: kinds, required, is_static };
        self.methods.push(method.clone());
        method
    }

    /// Writes a new object, or a call of one of its methods.
    pub(super) fn method_call(&mut self) {
        if let (Some(method), true) = (self.methods.last().cloned(), self.in_function) {
            let scope = if method.is_static { "self::" } else { "$this->" };
            let given = self.arguments(&method);
            self.line(&format!("echo json_encode({scope}{}({given})), \"\\n\";", method.name));
            return;
        }
        if self.classes.is_empty() || self.in_function || self.depth > 0 {
            return;
        }
        let number = self.below(self.classes.len());
        let methods = self.classes[number].clone();
        self.count += 1;
        let object = format!("$o{}", self.count);
        let safe = self.chance(60);
        if safe {
            self.line("try {");
            self.depth += 1;
        }
        let given = self.arguments(&methods[0]);
        self.line(&format!("{object} = new C{number}({given});"));
        for _ in 0..1 + self.below(3) {
            let at = 1 + self.below(methods.len() - 1);
            let given = self.arguments(&methods[at]);
            let scope = if methods[at].is_static { format!("C{number}::") } else { format!("{object}->") };
            self.line(&format!("echo json_encode({scope}{}({given})), \"\\n\";", methods[at].name));
        }
        if safe {
            self.depth -= 1;
            if self.chance(50) {
                self.line("} catch (\\InvalidArgumentException $e) {");
                self.line("    echo 'invalid ', $e->getMessage(), \"\\n\";");
            }
            // The messages of PHP's own errors differ from those of the ported program.
            self.line("} catch (\\Throwable $e) {");
            self.line("    echo \"caught\\n\";");
            self.line("}");
        }
    }

    pub(super) fn arguments(&mut self, function: &Function) -> String {
        let kinds = &function.parameters;
        let count = function.required + self.below(kinds.len() - function.required + 1);
        let given: Vec<String> = kinds.iter().take(count).map(|kind| self.of(*kind, 1)).collect();
        given.join(", ")
    }
}
