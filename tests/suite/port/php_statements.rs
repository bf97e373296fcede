//! The statements of the generated PHP programs: loops, calls, branches.

use super::php_expressions::WORDS;
use super::php_programs::{Kind, Writer};

impl Writer {
    pub(super) fn foreach(&mut self) {
        let list = match self.below(4) {
            0 if !self.in_function => self.pick(&["$data['rows']", "$data['l']", "$data['m']"]).to_owned(),
            1 => self.map(1),
            _ => self.list(1),
        };
        self.count += 1;
        let (value, key) = (format!("$e{}", self.count), format!("$k{}", self.count));
        let keyed = self.chance(50);
        let head = if keyed { format!("{key} => {value}") } else { value.clone() };
        self.line(&format!("foreach ({list} as {head}) {{"));
        self.loops += 1;
        self.depth += 1;
        match self.below(4) {
            0 if keyed => self.line(
                &format!("echo {key} + 0 == {key} ? 'n' : 's', json_encode([{key} => {value}]), \"\\n\";")
                    .replace(&format!("{key} + 0 == {key}"), &format!("{key} == 0")),
            ),
            1 => self
                .line(&format!("if (is_array({value})) {{ {value}['seen'] = true; }} else {{ {value} = [{value}]; }}")),
            2 if keyed => {
                self.count += 1;
                self.line(&format!("$c{}[{key}] = {value};", self.count));
            }
            _ => {}
        }
        self.line(&format!("echo json_encode({value}), \" \";"));
        self.depth -= 1;
        self.block(1);
        self.loops -= 1;
        self.line("}");
    }

    pub(super) fn counted(&mut self) {
        self.count += 1;
        let name = format!("$i{}", self.count);
        let most = 1 + self.below(4);
        let bound = if self.chance(50) { most.to_string() } else { format!("count({})", self.list(0)) };
        let step = self.pick(&["++", "++", " += 2"]);
        if self.chance(50) {
            self.line(&format!("for ({name} = 0; {name} < {bound}; {name}{step}) {{"));
        } else {
            self.line(&format!("for ({name} = 0; {name} < {bound} && {name} < 5; {name}{step}) {{"));
        }
        self.loops += 1;
        self.variables.push((name.clone(), Kind::Int));
        let before = self.variables.len();
        self.block(1);
        self.variables.truncate(before);
        // The counter must not be assigned in the loop, which might never end.
        self.depth += 1;
        self.line(&format!("echo {name}, ' ';"));
        self.depth -= 1;
        self.variables.retain(|(one, _)| *one != name);
        self.loops -= 1;
        self.line("}");
    }

    pub(super) fn repeated(&mut self) {
        self.count += 1;
        let name = format!("$w{}", self.count);
        self.line(&format!("{name} = 0;"));
        let most = 1 + self.below(4);
        self.line(&format!("while ({name} < {most}) {{"));
        self.depth += 1;
        self.line(&format!("{name}++;"));
        if self.chance(40) {
            let (condition, word) = (self.condition(1), self.pick(&["continue", "break"]));
            self.line(&format!("if ({condition}) {{ {word}; }}"));
        }
        self.depth -= 1;
        self.loops += 1;
        self.block(1);
        self.loops -= 1;
        self.line("}");
    }

    pub(super) fn call(&mut self) {
        if self.functions.is_empty() || self.in_function {
            return;
        }
        let at = self.below(self.functions.len());
        let function = self.functions[at].clone();
        let given = self.arguments(&function);
        self.line(&format!("echo json_encode({}({given})), \"\\n\";", function.name));
    }

    pub(super) fn switch(&mut self) {
        let kind = self.pick(&[Kind::Int, Kind::Text, Kind::Scalar]);
        let Some(name) = self.variable(kind) else { return };
        self.line(&format!("switch ({name}) {{"));
        self.depth += 1;
        for number in 0..1 + self.below(3) {
            let value = if self.chance(50) { self.below(5).to_string() } else { format!("'{}'", self.pick(&WORDS)) };
            self.line(&format!("case {value}:"));
            if self.chance(20) {
                continue;
            }
            self.line(&format!("    echo \"case {number}\\n\";"));
            self.line("    break;");
        }
        if self.chance(60) {
            self.line("default:");
            self.line("    echo \"other\\n\";");
        }
        self.depth -= 1;
        self.line("}");
    }

    pub(super) fn attempt(&mut self) {
        self.line("try {");
        self.depth += 1;
        let (condition, text) = (self.condition(2), self.of(Kind::Text, 1));
        self.line(&format!("if ({condition}) {{ throw new \\Exception({text}); }}"));
        self.line("echo \"tried\\n\";");
        self.depth -= 1;
        self.line("} catch (\\Exception $e) {");
        self.line("    echo 'caught ', $e->getMessage(), \"\\n\";");
        if self.chance(30) {
            self.line("} finally {");
            self.line("    echo \"finally\\n\";");
        }
        self.line("}");
    }

    /// A variable that only a branch assigns.
    pub(super) fn maybe(&mut self) {
        self.count += 1;
        let name = format!("$m{}", self.count);
        let (condition, value) = (self.condition(1), self.any(1));
        self.line(&format!("if ({condition}) {{ {name} = {value}; }}"));
        match self.below(3) {
            0 => self.line(&format!("echo json_encode({name} ?? 'unset'), \"\\n\";")),
            1 => self.line(&format!("echo isset({name}) ? 'set' : 'unset', \"\\n\";")),
            _ => self.line(&format!("echo empty({name}) ? 'empty' : 'full', \"\\n\";")),
        }
    }

    pub(super) fn append(&mut self) {
        match self.below(3) {
            0 => {
                if let Some(name) = self.variable(Kind::Text) {
                    let value = self.of(Kind::Scalar, 1);
                    self.line(&format!("{name} .= {value};"));
                }
            }
            1 => {
                let kind = self.pick(&[Kind::Int, Kind::Float]);
                if let Some(name) = self.variable(kind) {
                    if !name.starts_with("$i") {
                        let (operator, value) = (self.pick(&["+=", "-=", "*="]), self.of(kind, 1));
                        self.line(&format!("{name} {operator} {value};"));
                    }
                }
            }
            _ => {
                if let Some(name) = self.variable(Kind::Int) {
                    if !name.starts_with("$i") {
                        let step = self.pick(&["++", "--"]);
                        self.line(&format!("{name}{step};"));
                    }
                }
            }
        }
    }
}
