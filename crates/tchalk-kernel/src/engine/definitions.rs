//! What the cells of a notebook have defined, and how it can be replaced.
//!
//! Evcxr replaces an item that is defined again by its name. An `impl` has none and would stay for ever. So
//! the kernel writes a constant before each `impl`, whose name is made from what it implements: Evcxr keeps
//! the two together. An `impl` without a trait is divided, so that each method is replaced by itself.

use crate::engine::cell_syntax::{self, range_in_cell};
use crate::engine::insertion::Insertion;
use crate::text::hex;
use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName};
use ra_ap_syntax::{Edition, SourceFile};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// How the names begin that an `impl` gets.
pub const PREFIX: &str = "TCHALK_IMPL_";

/// One definition of a cell.
#[derive(Debug, Clone, PartialEq)]
struct Definition {
    /// The name by which Evcxr replaces it.
    key: String,
    /// The name for readers: `area`, `Point::double`, `impl Display for Point`.
    label: String,
    /// The type that it is for, if it is an `impl`.
    of_type: Option<String>,
}

/// The definitions of all cells so far.
#[derive(Debug, Default)]
pub struct Definitions {
    /// By key: the definition, and the number of the cell it is from.
    current: BTreeMap<String, (Definition, u64)>,
    /// Those that were removed because they no longer compiled, by label, with the number of their cell.
    removed: BTreeMap<String, u64>,
}

impl Definitions {
    /// The code that removes what a cell no longer defines: an `impl` that was in the cell of a type, and
    /// is not in the one that defines the type again.
    pub fn removal_of_old(&self, code: &str) -> String {
        let new = definitions(code);
        let keys: BTreeSet<&str> = new.iter().map(|definition| definition.key.as_str()).collect();
        let cells: BTreeSet<u64> = new
            .iter()
            .filter(|definition| definition.of_type.is_none())
            .filter_map(|definition| Some(self.current.get(&definition.key)?.1))
            .collect();
        let old = self.current.values().filter(|(old, cell)| {
            let of_new_type = |of: &String| keys.contains(of.as_str());
            cells.contains(cell)
                && !keys.contains(old.key.as_str())
                && old.of_type.as_ref().is_some_and(of_new_type)
        });
        old.map(|(old, _)| removal(&old.key)).collect()
    }

    /// Records the definitions of a cell that has run.
    pub fn record(&mut self, code: &str, cell: u64) {
        for definition in definitions(code) {
            self.removed.remove(&definition.label);
            self.current.insert(definition.key.clone(), (definition, cell));
        }
    }

    /// The keys of the items at these lines of the generated `source` that are from older cells than `code`.
    pub fn older_at_lines(&self, source: &str, lines: &[usize], code: &str) -> BTreeSet<String> {
        let new: BTreeSet<String> = definitions(code).into_iter().map(|it| it.key).collect();
        let is_older = |key: &String| self.current.contains_key(key) && !new.contains(key);
        let file = SourceFile::parse(source, Edition::Edition2024).tree();
        let mut found = BTreeSet::new();
        let mut key = None;
        for item in file.items() {
            key = name_of(&item).or(key);
            let range = item.syntax().text_range();
            let line = |offset: ra_ap_syntax::TextSize| {
                source[..usize::from(offset)].matches('\n').count() + 1
            };
            let (start, end) = (line(range.start()), line(range.end()));
            if lines.iter().any(|line| (start..=end).contains(line)) {
                found.extend(key.clone().filter(is_older));
            }
        }
        found
    }

    /// Forgets definitions that no longer compile; returns them for readers, with their cells.
    pub fn remove(&mut self, keys: &BTreeSet<String>) -> Vec<(String, u64)> {
        let removed: Vec<_> = keys.iter().filter_map(|key| self.current.remove(key)).collect();
        let removed: Vec<_> =
            removed.into_iter().map(|(definition, cell)| (definition.label, cell)).collect();
        self.removed.extend(removed.iter().cloned());
        removed
    }

    /// The removed definition that a cell uses, and the cell that defines it.
    pub fn removed_in(&self, code: &str) -> Option<(&str, u64)> {
        let file = SourceFile::parse(code, Edition::Edition2024).tree();
        let words: BTreeSet<String> = file
            .syntax()
            .descendants_with_tokens()
            .filter_map(|part| Some(part.into_token()?.text().to_owned()))
            .collect();
        let name = |label: &str| label.rsplit("::").next().unwrap_or(label).to_owned();
        let used = self.removed.iter().find(|(label, _)| words.contains(&name(label)));
        used.map(|(label, cell)| (label.as_str(), *cell))
    }

    /// Nothing is defined any more.
    pub fn clear(&mut self) {
        *self = Definitions::default();
    }
}

/// The code that takes the place of a definition.
pub fn removal(key: &str) -> String {
    format!("#[allow(non_upper_case_globals)] const {key}: () = ();\n")
}

/// The text that names the `impl`s of a cell.
pub fn insertions(code: &str) -> Vec<Insertion> {
    let mut insertions = Vec::new();
    for block in items(code).into_iter().filter_map(|item| ast::Impl::cast(item.syntax().clone())) {
        let Some(range) = range_in_cell(&block) else { continue };
        let header = header(&block);
        let methods = methods(&block);
        let first = match methods.first() {
            Some(method) => method_key(&header, method),
            None => key(&header),
        };
        insertions.push(Insertion::new(range.start, constant(&first)));
        for pair in methods.windows(2) {
            let Some(end) = range_in_cell(&pair[0]).map(|range| range.end) else { continue };
            let next = constant(&method_key(&header, &pair[1]));
            insertions.push(Insertion::new(end, format!(" }} {next}{header} {{")));
        }
    }
    insertions
}

fn constant(key: &str) -> String {
    format!("const {key}: () = (); ")
}

/// All definitions of a cell.
fn definitions(code: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    for item in items(code) {
        let ast::Item::Impl(block) = &item else {
            found.extend(name_of(&item).map(|name| Definition {
                key: name.clone(),
                label: name,
                of_type: None,
            }));
            continue;
        };
        let header = header(block);
        let of_type = block.self_ty().map(|kind| base_name(&kind.syntax().text().to_string()));
        let owner = of_type.clone().unwrap_or_default();
        let methods = methods(block);
        if methods.is_empty() {
            found.push(Definition { key: key(&header), label: header, of_type });
            continue;
        }
        found.extend(methods.iter().map(|method| Definition {
            key: method_key(&header, method),
            label: format!("{owner}::{}", method_name(method)),
            of_type: of_type.clone(),
        }));
    }
    found
}

/// The items of a cell; none if it cannot be parsed.
fn items(code: &str) -> Vec<ast::Item> {
    let cell = cell_syntax::parse(code).filter(|cell| !cell.has_errors);
    let statements = cell.into_iter().flat_map(|cell| cell.statements.statements());
    statements.filter_map(|statement| ast::Item::cast(statement.syntax().clone())).collect()
}

/// The text before the braces of an `impl`, in one line: `impl Display for Point`.
fn header(block: &ast::Impl) -> String {
    let list = block.assoc_item_list().map(|list| list.syntax().text_range().start());
    let start = block.impl_token().map(|token| token.text_range().start());
    let range = block.syntax().text_range();
    let (start, end) = (start.unwrap_or(range.start()), list.unwrap_or(range.end()));
    let text = block.syntax().text().slice(start - range.start()..end - range.start()).to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The items of an `impl` without a trait, each of which can be replaced; none of one with a trait.
fn methods(block: &ast::Impl) -> Vec<ast::AssocItem> {
    if block.trait_().is_some() {
        return Vec::new();
    }
    block.assoc_item_list().into_iter().flat_map(|list| list.assoc_items()).collect()
}

fn method_name(method: &ast::AssocItem) -> String {
    let name = match method {
        ast::AssocItem::Fn(function) => function.name(),
        ast::AssocItem::Const(constant) => constant.name(),
        ast::AssocItem::TypeAlias(alias) => alias.name(),
        ast::AssocItem::MacroCall(_) => None,
    };
    name.map_or_else(|| method.syntax().text().to_string(), |name| name.text().to_string())
}

fn method_key(header: &str, method: &ast::AssocItem) -> String {
    key(&format!("{header} {}", method_name(method)))
}

/// A name that stands for a text.
fn key(text: &str) -> String {
    format!("{PREFIX}{}", &hex(&Sha256::digest(text))[..16])
}

/// The name of a type without its path and its parameters.
fn base_name(text: &str) -> String {
    let bare = text.split('<').next().unwrap_or(text).trim();
    bare.rsplit("::").next().unwrap_or(bare).to_owned()
}

/// The name by which Evcxr knows an item.
fn name_of(item: &ast::Item) -> Option<String> {
    let name = match item {
        ast::Item::Const(it) => it.name(),
        ast::Item::Enum(it) => it.name(),
        ast::Item::Fn(it) => it.name(),
        ast::Item::MacroRules(it) => it.name(),
        ast::Item::Module(it) => it.name(),
        ast::Item::Static(it) => it.name(),
        ast::Item::Struct(it) => it.name(),
        ast::Item::Trait(it) => it.name(),
        ast::Item::TypeAlias(it) => it.name(),
        ast::Item::Union(it) => it.name(),
        _ => None,
    };
    name.map(|name| name.text().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::prepared_cell::PreparedCell;

    fn labels(code: &str) -> Vec<String> {
        definitions(code).into_iter().map(|definition| definition.label).collect()
    }

    #[test]
    fn definitions_have_names_for_readers() {
        let code = "struct Point { x: f64 }\nimpl Point { fn a() {} const B: i32 = 1; }\n\
                    impl std::fmt::Display for Point { }\nfn f() {}\nlet a = 1; macro_rules! m { () => {} }";
        let expected =
            ["Point", "Point::a", "Point::B", "impl std::fmt::Display for Point", "f", "m"];
        assert_eq!(labels(code), expected);
        assert_eq!(labels("struct Broken {"), [""; 0]);
    }

    #[test]
    fn each_method_of_an_impl_becomes_one_of_its_own() {
        let code = "impl<T: Copy> P<T> {\n    fn a() {}\n\n    /// Doc.\n    fn b() {}\n}";
        let prepared = PreparedCell::new(code, "", 1).code;
        assert_eq!(prepared.matches(PREFIX).count(), 2);
        assert_eq!(prepared.matches("impl<T: Copy> P<T>").count(), 2);
        assert_eq!(prepared.lines().count(), code.lines().count(), "lines keep their numbers");
        let parsed = SourceFile::parse(&prepared, Edition::Edition2024);
        assert!(parsed.errors().is_empty(), "{prepared}");
        let again = PreparedCell::new("impl<T: Copy> P<T> { fn b() { 1; } }", "", 1).code;
        let name = |text: &str| text.split(PREFIX).last().unwrap()[..16].to_owned();
        assert_eq!(name(&again), name(&prepared), "the same method has the same name");
    }

    #[test]
    fn what_a_cell_no_longer_defines_is_removed() {
        let mut all = Definitions::default();
        all.record("struct P;\nimpl P { fn a() {} fn b() {} }", 1);
        all.record("impl P { fn c() {} }", 2);
        let removal = all.removal_of_old("struct P;\nimpl P { fn a() {} }");
        assert_eq!(removal.matches(PREFIX).count(), 1, "b, but not c, which is from another cell");
        assert_eq!(all.removal_of_old("struct Q;"), "");
    }

    #[test]
    fn old_items_are_found_by_their_lines() {
        let mut all = Definitions::default();
        let code = "fn uses() -> f64 {\n    area(1.0)\n}\nimpl P { fn a() {\n let x = 1;\n} }";
        all.record(code, 3);
        let source = PreparedCell::new(code, "", 1).code;
        assert_eq!(all.older_at_lines(&source, &[2], "").into_iter().collect::<Vec<_>>(), ["uses"]);
        let found = all.older_at_lines(&source, &[5], "");
        let redefined = all.older_at_lines(&source, &[2], "fn uses() {}");
        assert!(redefined.is_empty(), "the cell itself defines it: {redefined:?}");
        assert_eq!(all.remove(&found), [("P::a".to_owned(), 3)]);
        assert_eq!(all.removed_in("P::a()"), Some(("P::a", 3)));
        assert_eq!(all.removed_in("\"a\""), None);
        all.record(code, 4);
        assert_eq!(all.removed_in("P::a()"), None);
    }
}
