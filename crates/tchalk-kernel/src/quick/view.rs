//! What rust-analyzer, inside Evcxr, gets to see of the crates that a cell may use.
//!
//! It looks again at every crate it knows when the type of a variable is asked for, which takes longer
//! than all else, and there are a hundred and sixty of them. Most are what the library does its work
//! with: no name of theirs can stand in a cell. So when it asks cargo which crates there are, it is
//! told of the cell's own dependencies, and of the library's only those whose types are in its
//! interface. What a reader adds with `:dep` is seen with all that belongs to it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// The package that Evcxr makes of a cell.
const CELL: &str = "ctx";
/// Packages of which not every dependency is seen, and those that are.
const KNOWN: [(&str, &[&str]); 3] =
    [("tchalk", &["ndarray", "tch"]), ("ndarray", &[]), ("tch", &[])];

/// Whether rust-analyzer asks cargo for all crates. Evcxr asks the same, but names no manifest.
pub fn is_asked_for(arguments: &[OsString]) -> bool {
    let has = |text: &str| arguments.iter().any(|argument| argument == text);
    has("metadata") && has("--manifest-path") && !has("--no-deps")
}

/// Whether rust-analyzer asks for cargo's configurations. They are the reader's, meant for other programs,
/// and another target in them would leave the types of variables unknown: it is told of none.
pub fn asks_for_configuration(arguments: &[OsString]) -> bool {
    let command = arguments.iter().position(|argument| argument == "config");
    command.is_some_and(|at| arguments.get(at + 1).is_some_and(|argument| argument == "get"))
}

/// cargo's answer, less what need not be seen; `None` if it is not about a cell.
pub fn of(answer: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let name = |package: &Value| {
        Some((package["id"].as_str()?.to_owned(), package["name"].as_str()?.to_owned()))
    };
    let names = answer["packages"].as_array()?.iter().map(name);
    let names = names.collect::<Option<BTreeMap<String, String>>>()?;
    let node = |node: &Value| {
        let needs = node["dependencies"].as_array()?.iter();
        let needs = needs.map(|id| Some(id.as_str()?.to_owned())).collect::<Option<Vec<_>>>()?;
        Some((node["id"].as_str()?.to_owned(), needs))
    };
    let nodes = answer["resolve"]["nodes"].as_array()?.iter().map(node);
    let nodes = nodes.collect::<Option<BTreeMap<String, Vec<String>>>>()?;

    let mut seen = BTreeSet::new();
    let mut next: Vec<&String> = names.iter().filter(|it| it.1 == CELL).map(|it| it.0).collect();
    if next.is_empty() {
        return None;
    }
    while let Some(id) = next.pop() {
        if seen.insert(id.clone()) {
            let known = KNOWN.iter().find(|(name, _)| names.get(id).is_some_and(|it| it == name));
            next.extend(nodes.get(id)?.iter().filter(|needed| {
                let name = names.get(*needed).map(String::as_str).unwrap_or_default();
                known.is_none_or(|(_, seen)| seen.contains(&name))
            }));
        }
    }

    let is_seen = |id: &Value| id.as_str().is_some_and(|id| seen.contains(id));
    answer["packages"].as_array_mut()?.retain(|package| is_seen(&package["id"]));
    let nodes = answer["resolve"]["nodes"].as_array_mut()?;
    nodes.retain(|node| is_seen(&node["id"]));
    for node in nodes {
        node["dependencies"].as_array_mut()?.retain(is_seen);
        node["deps"].as_array_mut()?.retain(|needed| is_seen(&needed["pkg"]));
    }
    serde_json::to_vec(&answer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// cargo's answer for packages with what each of them needs.
    fn answer(packages: &[(&str, &[&str])]) -> Vec<u8> {
        let nodes = packages.iter().map(|(name, needs)| {
            let deps: Vec<_> = needs.iter().map(|it| json!({"name": it, "pkg": it})).collect();
            json!({"id": name, "dependencies": needs, "deps": deps})
        });
        let names = packages.iter().map(|(name, _)| json!({"id": name, "name": name}));
        let (names, nodes) = (names.collect::<Vec<_>>(), nodes.collect::<Vec<_>>());
        serde_json::to_vec(&json!({"packages": names, "resolve": {"nodes": nodes}})).unwrap()
    }

    const LIBRARY: [(&str, &[&str]); 6] = [
        ("tchalk", &["ndarray", "tch", "zip", "rand"]),
        ("ndarray", &["noise"]),
        ("tch", &["rand", "zip"]),
        ("zip", &[]),
        ("rand", &["noise"]),
        ("noise", &[]),
    ];

    #[test]
    fn of_the_library_only_what_is_in_its_interface_is_seen() {
        let all = [&LIBRARY[..], &[("ctx", &["tchalk"])]].concat();
        let seen: [(&str, &[&str]); 4] =
            [("tchalk", &["ndarray", "tch"]), ("ndarray", &[]), ("tch", &[]), ("ctx", &["tchalk"])];
        assert_eq!(of(&answer(&all)).unwrap(), answer(&seen));
    }

    #[test]
    fn what_the_reader_adds_is_seen_with_all_that_belongs_to_it() {
        let all = [&LIBRARY[..], &[("ctx", &["tchalk", "rand"])]].concat();
        let seen: [(&str, &[&str]); 6] = [
            ("tchalk", &["ndarray", "tch", "rand"]),
            ("ndarray", &["noise"]),
            ("tch", &["rand"]),
            ("rand", &["noise"]),
            ("noise", &[]),
            ("ctx", &["tchalk", "rand"]),
        ];
        assert_eq!(of(&answer(&all)).unwrap(), answer(&seen));
    }

    #[test]
    fn other_packages_are_none_of_its_business() {
        assert_eq!(of(&answer(&LIBRARY)), None);
        assert_eq!(of(b"error: no manifest"), None);
    }

    #[test]
    fn only_rust_analyzer_is_told_less() {
        let asked =
            |text: &str| is_asked_for(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asked("metadata --format-version 1 --manifest-path /s/Cargo.toml"));
        assert!(!asked("metadata --format-version 1 --no-deps --manifest-path /s/Cargo.toml"));
        assert!(!asked("--offline metadata --format-version=1"));
        let configuration = |text: &str| {
            asks_for_configuration(&text.split(' ').map(OsString::from).collect::<Vec<_>>())
        };
        assert!(configuration("-Z unstable-options config get --format toml --show-origin"));
        assert!(!configuration("metadata --format-version 1 --manifest-path config"));
    }
}
