//! The modules of a crate, and which of its files uses which.
//!
//! A name is followed to the file that defines it: through `use` lines, re-exports included, and through
//! paths in code. What only tests use does not count. Methods are not followed, since their calls name no
//! module.

use super::source::{Source, Token};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One file of a crate.
pub struct File {
    /// Relative to the crate's `src`: `train/mod.rs`.
    pub name: String,
    pub source: Source,
    /// The tokens that only tests use, as spans of lines; a file of tests is one span.
    pub tests: Vec<(usize, usize)>,
}

impl File {
    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|&(first, last)| (first..=last).contains(&line))
    }
}

/// A crate's files, and the arrows between them: who uses whom, and the line that says so.
pub struct Crate {
    pub files: Vec<File>,
    pub arrows: BTreeMap<(usize, usize), usize>,
}

#[derive(Default)]
struct Module {
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Names that `use` lines bring.
    imports: BTreeMap<String, Import>,
    globs: Vec<Vec<String>>,
    items: BTreeSet<String>,
    /// Paths in code, and single names, each with its line.
    paths: Vec<(Vec<String>, usize)>,
}

struct Import {
    path: Vec<String>,
    line: usize,
}

/// What a path leads to.
enum Target {
    Module(usize),
    /// An item, in this module.
    Item(usize),
}

/// Where a module's tokens are, and the folder of its children.
struct Scope<'a> {
    module: usize,
    folder: &'a Path,
    tokens: &'a [(Token, usize)],
    is_test: bool,
}

impl Scope<'_> {
    fn name(&self, at: usize) -> Option<&str> {
        self.tokens.get(at)?.0.identifier()
    }

    fn is(&self, at: usize, character: char) -> bool {
        self.tokens.get(at).is_some_and(|(token, _)| token.is(character))
    }
}

struct Reader {
    src: PathBuf,
    files: Vec<File>,
    modules: Vec<Module>,
}

impl Crate {
    /// Reads the crate whose root file is `root`.
    pub fn read(root: &Path) -> Result<Crate> {
        let src = root.parent().context("a crate's root is in a folder")?.to_owned();
        let mut reader = Reader { src: src.clone(), files: Vec::new(), modules: Vec::new() };
        reader.read_file(root, &src, None, false)?;
        let arrows = reader.arrows();
        Ok(Crate { files: reader.files, arrows })
    }
}

impl Reader {
    /// Reads a module's file, and the files of its children, which are in `folder`.
    fn read_file(
        &mut self,
        path: &Path,
        folder: &Path,
        parent: Option<usize>,
        is_test: bool,
    ) -> Result<usize> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.strip_prefix(&self.src)?.to_string_lossy().into_owned();
        let source = Source::parse(&text);
        let file = self.files.len();
        let (tokens, last) = (source.tokens.clone(), source.lines.len());
        let tests = if is_test { vec![(0, last)] } else { Vec::new() };
        self.files.push(File { name, source, tests });
        let module = self.add_module(file, parent);
        self.read_module(&Scope { module, folder, tokens: &tokens, is_test }, 0..tokens.len())?;
        Ok(module)
    }

    fn add_module(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.modules.push(Module { file, parent, ..Module::default() });
        self.modules.len() - 1
    }

    /// Reads the tokens of one module that are in `span`.
    fn read_module(&mut self, scope: &Scope, span: Range<usize>) -> Result<()> {
        let (mut at, mut depth, mut only_tests) = (span.start, 0, false);
        while at < span.end {
            let (token, line) = &scope.tokens[at];
            at = match token {
                Token::Punctuation('#') => {
                    let open = if scope.is(at + 1, '!') { at + 2 } else { at + 1 };
                    let end = self.closing(scope.module, open);
                    let names: Vec<_> = (open..end).filter_map(|at| scope.name(at)).collect();
                    only_tests |= matches!(
                        names[..],
                        ["test"] | ["cfg", "test"] | ["cfg", "all", "test", ..]
                    );
                    end + 1
                }
                Token::Identifier(name) if only_tests && name == "pub" => {
                    match scope.is(at + 1, '(') {
                        true => self.closing(scope.module, at + 1) + 1,
                        false => at + 1,
                    }
                }
                Token::Identifier(name)
                    if only_tests && !(name == "mod" && scope.is(at + 2, ';')) =>
                {
                    let end = self.end_of_item(scope.module, at, span.end);
                    let file = self.modules[scope.module].file;
                    self.files[file].tests.push((*line, scope.tokens[end].1));
                    only_tests = false;
                    end + 1
                }
                Token::Identifier(name) if depth == 0 && name == "mod" => {
                    let end = self.read_child(scope, at, only_tests)?;
                    only_tests = false;
                    end + 1
                }
                Token::Identifier(name) => self.read_name(scope, at, name, depth == 0),
                Token::Punctuation(character) => {
                    depth += i32::from(*character == '{') - i32::from(*character == '}');
                    at + 1
                }
                Token::Literal => at + 1,
            };
        }
        Ok(())
    }

    /// Reads the module that is declared at `at`; returns where the declaration ends.
    fn read_child(&mut self, scope: &Scope, at: usize, only_tests: bool) -> Result<usize> {
        let name = scope.name(at + 1).context("a module has a name")?.to_owned();
        let folder = scope.folder.join(&name);
        let (child, end) = if scope.is(at + 2, ';') {
            let beside = folder.with_extension("rs");
            let path = if beside.is_file() { beside } else { folder.join("mod.rs") };
            let is_test = scope.is_test || only_tests;
            (self.read_file(&path, &folder, Some(scope.module), is_test)?, at + 2)
        } else {
            let end = self.closing(scope.module, at + 2);
            let module = self.add_module(self.modules[scope.module].file, Some(scope.module));
            self.read_module(&Scope { module, folder: &folder, ..*scope }, at + 3..end)?;
            (module, end)
        };
        self.modules[scope.module].children.insert(name, child);
        Ok(end)
    }

    /// Reads what the identifier at `at` begins, `name`: an import, a definition or a path; returns what comes
    /// next.
    fn read_name(&mut self, scope: &Scope, at: usize, name: &str, is_outside: bool) -> usize {
        let module = &mut self.modules[scope.module];
        match name {
            "use" => {
                let ends = |&at: &usize| scope.is(at, ';');
                let end = (at..scope.tokens.len()).find(ends).unwrap_or(scope.tokens.len());
                read_use(module, &scope.tokens[at + 1..end], &mut Vec::new(), scope.tokens[at].1);
                end + 1
            }
            "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static"
                if is_outside =>
            {
                let defined = match scope.name(at + 1) {
                    Some("mut" | "fn" | "unsafe") => scope.name(at + 2),
                    defined => defined,
                };
                module.items.extend(defined.map(str::to_owned));
                at + 1
            }
            "macro_rules" => {
                module.items.extend(scope.name(at + 2).map(str::to_owned));
                at + 3
            }
            _ if at > 0 && scope.is(at - 1, '.') => at + 1,
            _ => {
                let (mut path, mut end) = (vec![name.to_owned()], at + 1);
                while scope.is(end, ':')
                    && scope.is(end + 1, ':')
                    && let Some(next) = scope.name(end + 2)
                {
                    path.push(next.to_owned());
                    end += 3;
                }
                module.paths.push((path, scope.tokens[at].1));
                end
            }
        }
    }

    fn closing(&self, module: usize, open: usize) -> usize {
        self.files[self.modules[module].file].source.closing(open)
    }

    /// The last token of the item at `at`: its semicolon, or the bracket that closes its body.
    fn end_of_item(&self, module: usize, mut at: usize, end: usize) -> usize {
        let source = &self.files[self.modules[module].file].source;
        while at < end {
            match source.tokens[at].0 {
                Token::Punctuation('{') => return source.closing(at),
                Token::Punctuation('(' | '[') => at = source.closing(at),
                Token::Punctuation(';') => return at,
                _ => {}
            }
            at += 1;
        }
        end - 1
    }

    /// The file that uses and the file that is used, for every name whose definition is found.
    fn arrows(&self) -> BTreeMap<(usize, usize), usize> {
        let mut arrows = BTreeMap::new();
        for (number, module) in self.modules.iter().enumerate() {
            if self.files[module.file].is_test(0) {
                continue;
            }
            let imports = module.imports.values().map(|import| (&import.path, import.line));
            // What is passed on from a child is the child's: nobody here uses it.
            let imports = imports.filter(|(path, _)| match self.resolve(number, path, 0) {
                Some(Target::Item(target)) => !self.is_below(target, number),
                _ => false,
            });
            let globs = module.globs.iter().map(|path| (path, 0));
            let paths = module.paths.iter().map(|(path, line)| (path, *line));
            for (path, line) in imports.chain(globs).chain(paths) {
                let target = match self.resolve(number, path, 0) {
                    Some(Target::Item(target)) => target,
                    _ => continue,
                };
                let arrow = (module.file, self.modules[target].file);
                if arrow.0 != arrow.1 {
                    arrows.entry(arrow).or_insert(line);
                }
            }
        }
        arrows
    }

    fn is_below(&self, mut module: usize, above: usize) -> bool {
        while let Some(parent) = self.modules[module].parent {
            if parent == above {
                return true;
            }
            module = parent;
        }
        false
    }

    /// What a path in a module leads to, if it is in this crate.
    fn resolve(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut here = match first.as_str() {
            "crate" => 0,
            "self" => module,
            "super" => self.modules[module].parent?,
            _ => match self.lookup(module, first, depth)? {
                Target::Module(found) => found,
                item => return Some(item),
            },
        };
        for name in rest {
            if name == "super" {
                here = self.modules[here].parent?;
                continue;
            }
            match self.lookup(here, name, depth) {
                Some(Target::Module(found)) => here = found,
                Some(item) => return Some(item),
                // Made by a macro, perhaps.
                None => return Some(Target::Item(here)),
            }
        }
        Some(Target::Module(here))
    }

    /// What a name is in a module: a child, something defined there, or something it uses.
    fn lookup(&self, module: usize, name: &str, depth: usize) -> Option<Target> {
        let here = &self.modules[module];
        if let Some(&child) = here.children.get(name) {
            return Some(Target::Module(child));
        }
        if here.items.contains(name) {
            return Some(Target::Item(module));
        }
        if depth > 8 {
            return None;
        }
        if let Some(import) = here.imports.get(name) {
            let is_itself = import.path.len() == 1 && import.path[0] == name;
            return (!is_itself).then(|| self.resolve(module, &import.path, depth + 1))?;
        }
        here.globs.iter().find_map(|path| match self.resolve(module, path, depth + 1)? {
            Target::Module(found) if found != module => self.lookup(found, name, depth + 1),
            _ => None,
        })
    }
}

/// Reads what comes after `use`, below `prefix`.
fn read_use(module: &mut Module, tokens: &[(Token, usize)], prefix: &mut Vec<String>, line: usize) {
    let length = prefix.len();
    for (at, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::Identifier(name) if name == "as" => break,
            Token::Identifier(name) => prefix.push(name.clone()),
            Token::Punctuation('*') => {
                module.globs.push(prefix.clone());
                return prefix.truncate(length);
            }
            Token::Punctuation('{') => {
                for part in parts(&tokens[at + 1..tokens.len() - 1]) {
                    read_use(module, part, prefix, line);
                }
                return prefix.truncate(length);
            }
            _ => {}
        }
    }
    if prefix.last().is_some_and(|name| name == "self") {
        prefix.pop();
    }
    let alias = tokens.last().and_then(|(token, _)| token.identifier());
    let alias = alias.filter(|alias| *alias != "self").or(prefix.last().map(String::as_str));
    if let Some(alias) = alias.map(str::to_owned) {
        module.imports.insert(alias, Import { path: prefix.clone(), line });
    }
    prefix.truncate(length);
}

/// The parts of a list of imports: commas inside brackets do not separate them.
fn parts(tokens: &[(Token, usize)]) -> Vec<&[(Token, usize)]> {
    let mut depth = 0;
    let parts = tokens.split(|(token, _)| {
        match token {
            Token::Punctuation('{') => depth += 1,
            Token::Punctuation('}') => depth -= 1,
            _ => {}
        }
        depth == 0 && token.is(',')
    });
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arrows of a crate with these files.
    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let code = Crate::read(&folder.path().join("lib.rs")).unwrap();
        let name = |file: usize| code.files[file].name.clone();
        code.arrows.keys().map(|&(from, to)| format!("{} {}", name(from), name(to))).collect()
    }

    #[test]
    fn a_name_is_followed_to_the_file_that_defines_it() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\npub use a::Thing;\n"),
            ("a/mod.rs", "mod c;\npub use c::{Thing, other as renamed};\npub fn own() {}"),
            ("a/c.rs", "pub struct Thing;\npub fn other() {}"),
            ("b.rs", "use crate::{Thing as Alias, a};\nfn f() -> Alias { a::renamed() }"),
        ];
        assert_eq!(arrows(&files), ["b.rs a/c.rs"], "re-exports are passed through");
        let files = [files[0], files[1], files[2], ("b.rs", "use crate::a::*;\nfn f() { own() }")];
        assert_eq!(arrows(&files), ["b.rs a/mod.rs"]);
    }

    #[test]
    fn paths_in_code_count_and_tests_do_not() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\npub(crate) mod testing;\n"),
            (
                "a.rs",
                "fn f() { crate::b::g(); }\npub mod inside { pub fn h() { super::super::b::g() } }",
            ),
            ("b.rs", "pub fn g() {}\n#[cfg(test)]\nmod tests { use crate::a::f; }"),
            ("testing.rs", "use crate::a::f;"),
        ];
        assert_eq!(arrows(&files), ["a.rs b.rs"]);
    }

    #[test]
    fn a_parent_that_calls_its_child_uses_it() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b;\npub fn f() { b::g() }"),
            ("a/b.rs", "use super::f;\npub fn g() { f() }"),
        ];
        assert_eq!(arrows(&files), ["a/mod.rs a/b.rs", "a/b.rs a/mod.rs"]);
    }
}
