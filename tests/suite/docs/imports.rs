//! The import graph of a crate's sources: which file names an item of which other file, and where.
//!
//! [`Graph::new`] resolves the paths that [`import_parser`](super::import_parser) finds in all
//! files, along the module tree and through re-exports.

use std::collections::{BTreeMap, BTreeSet};

use super::import_parser::{Parsed, Written, parse};

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A file of the crate, relative to its sources.
    File(String),
    /// Another crate.
    Crate(String),
}

/// A file names something of another file or crate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Import {
    pub(crate) from: String,
    pub(crate) line: usize,
    /// The path as it is written.
    pub(crate) path: String,
    pub(crate) target: Target,
}

/// A module's path below the crate root.
type ModulePath = Vec<String>;

pub(crate) struct Graph {
    pub(crate) imports: Vec<Import>,
    /// All files but those that are built for tests only.
    pub(crate) files: BTreeSet<String>,
    /// The identifiers in the code of each file.
    pub(crate) names: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// The graph of these files, each a path below `src` and its text.
    pub(crate) fn new<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut parsed: BTreeMap<String, Parsed> =
            sources.into_iter().map(|(file, text)| (file.to_owned(), parse(text))).collect();
        let tests: BTreeSet<ModulePath> = parsed
            .iter()
            .flat_map(|(file, parsed)| {
                parsed.test_modules.iter().map(|name| [module_of(file), vec![name.clone()]].concat())
            })
            .collect();
        parsed.retain(|file, _| !tests.iter().any(|test| module_of(file).starts_with(test)));
        let resolver = Resolver::new(&parsed);
        let mut imports = Vec::new();
        for (file, parsed) in &parsed {
            for written in &parsed.written {
                // A re-export that the file itself does not use is a name for others. It is
                // followed from where it is used. A glob cannot be followed.
                let is_for_others = |name: &String| name != "*" && !parsed.names.contains(name);
                let is_only_listed = written.is_reexport && written.binds.as_ref().is_some_and(is_for_others);
                if is_only_listed || file == "lib.rs" {
                    continue;
                }
                let module = [module_of(file), written.scope.clone()].concat();
                let Some(target) = resolver.resolve(&module, &written.path, 0) else { continue };
                let is_own = target == Target::File(file.clone());
                // `Error::new` repeats `use crate::error::Error`.
                if !is_own && !resolver.repeats_a_use(&module, written, &target) {
                    imports.push(Import {
                        from: file.clone(),
                        line: written.line,
                        path: written.path.join("::"),
                        target,
                    });
                }
            }
        }
        imports.dedup();
        let files = parsed.keys().cloned().collect();
        let names = parsed.into_iter().map(|(file, parsed)| (file, parsed.names)).collect();
        Self { imports, files, names }
    }

    /// The imports between files of the crate, as file names.
    pub(crate) fn between_files(&self) -> impl Iterator<Item = (&Import, &str)> {
        self.imports.iter().filter_map(|import| match &import.target {
            Target::File(to) => Some((import, to.as_str())),
            Target::Crate(_) => None,
        })
    }

    /// Groups of files that import one another, directly or through others of the group.
    pub(crate) fn cycles(&self, is_exempt: impl Fn(&str, &str) -> bool) -> Vec<BTreeSet<&str>> {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (import, to) in self.between_files().filter(|(import, to)| !is_exempt(&import.from, to)) {
            edges.entry(&import.from).or_default().insert(to);
        }
        let reachable: BTreeMap<&str, BTreeSet<&str>> =
            self.files.iter().map(|file| (file.as_str(), reach(&edges, file))).collect();
        let mut cycles: Vec<BTreeSet<&str>> = Vec::new();
        for (&file, reached) in &reachable {
            if reached.contains(file) && !cycles.iter().any(|cycle| cycle.contains(file)) {
                let back = reached.iter().filter(|other| reachable.get(*other).is_some_and(|of| of.contains(file)));
                cycles.push(back.copied().collect());
            }
        }
        cycles
    }

    /// Chains of imports from `file` to another crate that `is_wanted` names; each as a list of
    /// `file:line path`, one chain for each file that imports such a crate.
    pub(crate) fn chains(
        &self,
        file: &str,
        is_wanted: impl Fn(&str) -> bool,
        is_exempt: impl Fn(&str, &str) -> bool,
    ) -> Vec<Vec<String>> {
        let mut seen = BTreeSet::from([file]);
        let mut queue = std::collections::VecDeque::from([(file, Vec::<String>::new())]);
        let mut chains = Vec::new();
        while let Some((at, chain)) = queue.pop_front() {
            let mut is_found = false;
            for import in self.imports.iter().filter(|import| import.from == at) {
                let step = format!("{}:{} {}", import.from, import.line, import.path);
                let chain: Vec<_> = chain.iter().cloned().chain([step]).collect();
                match &import.target {
                    Target::Crate(name) if is_wanted(name) && !is_found => {
                        is_found = true;
                        chains.push(chain);
                    }
                    Target::File(to) if !is_exempt(at, to) && seen.insert(to) => queue.push_back((to, chain)),
                    _ => {}
                }
            }
        }
        chains
    }
}

/// The files that are imported by a file, directly or not.
fn reach<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut queue) = (BTreeSet::new(), vec![from]);
    while let Some(at) = queue.pop() {
        for &to in edges.get(at).into_iter().flatten() {
            if reached.insert(to) {
                queue.push(to);
            }
        }
    }
    reached
}

/// The module that a file holds: `a/mod.rs` holds `a`, `a/b.rs` holds `a::b`, `lib.rs` the root.
fn module_of(file: &str) -> ModulePath {
    let path = file.strip_suffix(".rs").expect("a Rust file");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

struct Resolver {
    /// The file of each module, inline modules included.
    files: BTreeMap<ModulePath, String>,
    /// What the `use` items of a module bind.
    bindings: BTreeMap<ModulePath, BTreeMap<String, Vec<String>>>,
    /// The files of `#[macro_export]` macros, which are items of the crate root.
    macros: BTreeMap<String, String>,
}

impl Resolver {
    fn new(parsed: &BTreeMap<String, Parsed>) -> Self {
        let mut resolver = Self { files: BTreeMap::new(), bindings: BTreeMap::new(), macros: BTreeMap::new() };
        for (file, parsed) in parsed {
            let module = module_of(file);
            resolver.files.insert(module.clone(), file.clone());
            for inline in &parsed.inline_modules {
                resolver.files.insert([module.clone(), inline.clone()].concat(), file.clone());
            }
            for written in &parsed.written {
                if let Some(name) = &written.binds {
                    let module = [module.clone(), written.scope.clone()].concat();
                    resolver.bindings.entry(module).or_default().insert(name.clone(), written.path.clone());
                }
            }
            resolver.macros.extend(parsed.exported_macros.iter().map(|name| (name.clone(), file.clone())));
        }
        resolver
    }

    /// Where a path leads that is written in `module`. `None` for a path of the prelude, a type
    /// parameter, an associated item.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Target> {
        assert!(depth < 32, "re-exports that lead in a circle: {path:?} in {module:?}");
        let first = path.first()?.as_str();
        match first {
            "crate" => self.walk(Vec::new(), &path[1..], depth),
            "self" => self.walk(module.to_vec(), &path[1..], depth),
            "super" => self.walk(module.split_last()?.1.to_vec(), &path[1..], depth),
            "Self" => None,
            _ => {
                let child = [module, &path[..1]].concat();
                if self.files.contains_key(&child) {
                    return self.walk(child, &path[1..], depth);
                }
                let binding = self.bindings.get(module).and_then(|bindings| bindings.get(first));
                match binding {
                    // `use a::a` or `use a` of another crate binds the crate's own name.
                    Some(bound) if bound.first().is_none_or(|root| root != first) => {
                        self.resolve(module, &[bound, &path[1..]].concat(), depth + 1)
                    }
                    _ => first.starts_with(|c: char| c.is_ascii_lowercase()).then(|| Target::Crate(first.to_owned())),
                }
            }
        }
    }

    /// Whether a path within code leads where the `use` of its first name leads already.
    fn repeats_a_use(&self, module: &[String], written: &Written, target: &Target) -> bool {
        let binding = self.bindings.get(module).and_then(|bindings| bindings.get(&written.path[0]));
        written.binds.is_none() && binding.is_some_and(|bound| self.resolve(module, bound, 0).as_ref() == Some(target))
    }

    /// Follows a path from a module down to the file of the item that it names.
    fn walk(&self, mut module: ModulePath, mut path: &[String], depth: usize) -> Option<Target> {
        while let Some((first, rest)) = path.split_first() {
            if first == "super" {
                module.pop();
                path = rest;
                continue;
            }
            let child = [module.as_slice(), std::slice::from_ref(first)].concat();
            if self.files.contains_key(&child) {
                module = child;
                path = rest;
                continue;
            }
            if let Some(bound) = self.bindings.get(&module).and_then(|bindings| bindings.get(first)) {
                return self.resolve(&module, &[bound, rest].concat(), depth + 1);
            }
            if let Some(file) = self.macros.get(first).filter(|_| module.is_empty()) {
                return Some(Target::File(file.clone()));
            }
            break;
        }
        let file = self.files.get(&module)?;
        Some(Target::File(file.clone()))
    }
}

/// The imports of a small crate, as `file:line path -> target`.
#[cfg(test)]
fn imports_of(sources: &[(&str, &str)]) -> Vec<String> {
    let graph = Graph::new(sources.iter().copied());
    let target = |target: &Target| match target {
        Target::File(file) => file.clone(),
        Target::Crate(name) => format!("extern {name}"),
    };
    let line =
        |import: &Import| format!("{}:{} {} -> {}", import.from, import.line, import.path, target(&import.target));
    graph.imports.iter().map(line).collect()
}

const A: (&str, &str) = ("a.rs", "pub struct A; pub struct B;");
const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b;");

#[test]
fn nested_braces_name_each_leaf() {
    let b = "use crate::{a::{A, B as C}, d::{self, e::*}};\nuse std::{fs, io::{self, Read}};";
    let imports = imports_of(&[ROOT, A, ("b.rs", b), ("d/mod.rs", ""), ("d/e.rs", "")]);
    assert_eq!(
        imports,
        [
            "b.rs:1 crate::a::A -> a.rs",
            "b.rs:1 crate::a::B -> a.rs",
            "b.rs:1 crate::d -> d/mod.rs",
            "b.rs:1 crate::d::e::* -> d/e.rs",
            "b.rs:2 std::fs -> extern std",
            "b.rs:2 std::io -> extern std",
            "b.rs:2 std::io::Read -> extern std",
        ]
    );
}

#[test]
fn a_use_over_many_lines_is_placed_at_each_name() {
    let b = "use crate::{\n    a::{\n        A,\n    },\n    d,\n};";
    assert_eq!(
        imports_of(&[ROOT, A, ("b.rs", b), ("d.rs", "")]),
        ["b.rs:3 crate::a::A -> a.rs", "b.rs:5 crate::d -> d.rs"]
    );
}

#[test]
fn comments_strings_and_documentation_import_nothing() {
    let b = "//! use crate::a::A;\n// use crate::a::A;\n/* use crate::a::A; */\n/// use crate::a::A; crate::a::A\n\
             const B: &str = \"use crate::a::A;\"; const C: &str = r#\"\nuse crate::a::A;\n\"#;";
    assert_eq!(imports_of(&[ROOT, A, ("b.rs", b)]), [] as [&str; 0]);
}

#[test]
fn tests_are_left_out() {
    let b = "#[cfg(test)]\nuse crate::a::{A, B};\n#[cfg(test)] #[allow(unused)] mod tests { use crate::a::A; }\n\
             #[cfg(all(test, feature = \"x\"))] fn f() -> crate::a::A { crate::a::A }\n\
             struct S { #[cfg(test)] a: crate::a::A, b: crate::d::D }\n#[cfg(test)] mod c;\n\
             #[cfg(not(test))] use crate::d;";
    let imports = imports_of(&[ROOT, A, ("b/mod.rs", b), ("b/c.rs", "use crate::a::A;"), ("d.rs", "")]);
    assert_eq!(imports, ["b/mod.rs:5 crate::d::D -> d.rs", "b/mod.rs:7 crate::d -> d.rs"]);
}

#[test]
fn relative_paths_start_at_their_module() {
    let c = "use super::super::a::A;\nuse self::e::E;\nmod e { use super::super::d::D; pub struct E; }\n\
             use super::d::D;";
    assert_eq!(
        imports_of(&[ROOT, A, ("b/mod.rs", "mod c; mod d; use c::C;"), ("b/c.rs", c), ("b/d.rs", "")]),
        [
            "b/c.rs:1 super::super::a::A -> a.rs",
            "b/c.rs:3 super::super::d::D -> b/d.rs",
            "b/c.rs:4 super::d::D -> b/d.rs",
            "b/mod.rs:1 c::C -> b/c.rs",
        ]
    );
}

#[test]
fn re_exports_lead_to_the_file_of_the_item() {
    let root = ("lib.rs", "mod a; mod b; pub use a::A; pub(crate) use crate::b::d::Late as Soon;");
    let user = "use crate::A;\nuse crate::b::{D, Soon};\nfn f(_: crate::Soon) {}";
    assert_eq!(
        imports_of(&[
            root,
            A,
            ("b/mod.rs", "pub use d::D;\npub use self::d::Late as Soon;\nfn f(_: Soon) {}"),
            ("b/d.rs", ""),
            ("user.rs", user)
        ]),
        [
            // Only the re-export that the file uses is an import of its own.
            "b/mod.rs:2 self::d::Late -> b/d.rs",
            "user.rs:1 crate::A -> a.rs",
            "user.rs:2 crate::b::D -> b/d.rs",
            "user.rs:2 crate::b::Soon -> b/d.rs",
            "user.rs:3 crate::Soon -> b/d.rs",
        ]
    );
}

#[test]
fn qualified_paths_in_code_are_imports() {
    let b = "use crate::d;\nfn f() -> hyper::Uri { g::<crate::a::A>(d::e::E::new(), d::D) }\n\
             macro_rules! m { () => { $crate::a::A } }\nfn h() { vec![super::a::B]; x.crate_::<u8>(); }";
    assert_eq!(
        imports_of(&[ROOT, A, ("b.rs", b), ("d/mod.rs", ""), ("d/e.rs", "")]),
        [
            "b.rs:1 crate::d -> d/mod.rs",
            "b.rs:2 hyper::Uri -> extern hyper",
            "b.rs:2 crate::a::A -> a.rs",
            "b.rs:2 d::e::E::new -> d/e.rs",
            "b.rs:4 super::a::B -> a.rs",
        ]
    );
}

#[test]
fn cycles_and_chains_are_found() {
    let graph = Graph::new([
        ("lib.rs", ""),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "fn f() { crate::a::f(tokio::spawn()) }"),
        ("d.rs", "use crate::a;"),
    ]);
    let none = |_: &str, _: &str| false;
    assert_eq!(graph.cycles(none), [BTreeSet::from(["a.rs", "b.rs", "c.rs"])]);
    assert_eq!(graph.cycles(|from, to| (from, to) == ("c.rs", "a.rs")), [] as [BTreeSet<&str>; 0]);
    let tokio = |name: &str| name == "tokio";
    assert_eq!(
        graph.chains("d.rs", tokio, none),
        [["d.rs:1 crate::a", "a.rs:1 crate::b::B", "b.rs:1 crate::c::C", "c.rs:1 tokio::spawn"]]
    );
    assert_eq!(graph.chains("d.rs", tokio, |from, _| from == "b.rs"), [] as [Vec<String>; 0]);
}
