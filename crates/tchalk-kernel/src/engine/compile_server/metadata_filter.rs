//! Reduces cargo's metadata for rust-analyzer to the crates that a cell can name.
//!
//! rust-analyzer, inside Evcxr, examines every crate it knows when the type of a variable is asked for,
//! and there are 160 of them. Most are private to the library: no cell can name their items. So when it
//! asks cargo for the crates, it learns of the cell's own dependencies, and of the library's only those
//! whose types are in its public interface (they are public in its `lib.rs`). A dependency that a reader
//! adds with `:dep` is reported with all its own.

use super::rustc_command::CELL_CRATE;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// Packages whose dependencies are not all reported, and those that are.
const PARTLY_VISIBLE: [(&str, &[&str]); 3] =
    [("tchalk", &["ndarray", "tch"]), ("ndarray", &[]), ("tch", &[])];

/// Whether rust-analyzer asks cargo for all crates. Evcxr does the same, but names no manifest.
pub fn is_metadata_request(arguments: &[OsString]) -> bool {
    let has = |text: &str| arguments.iter().any(|argument| argument == text);
    has("metadata") && has("--manifest-path") && !has("--no-deps")
}

/// Whether rust-analyzer asks for cargo's configuration. It gets none: the reader's is meant for other
/// programs, and another target in it would leave the types of variables unknown.
pub fn is_config_request(arguments: &[OsString]) -> bool {
    let command = arguments.iter().position(|argument| argument == "config");
    command.is_some_and(|at| arguments.get(at + 1).is_some_and(|argument| argument == "get"))
}

/// cargo's answer without the crates that no cell can name; `None` if it is not about a cell.
pub fn filtered(answer: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let visible = visible_packages(&answer)?;
    let is_visible = |id: &Value| id.as_str().is_some_and(|id| visible.contains(id));
    answer["packages"].as_array_mut()?.retain(|package| is_visible(&package["id"]));
    let nodes = answer["resolve"]["nodes"].as_array_mut()?;
    nodes.retain(|node| is_visible(&node["id"]));
    for node in nodes {
        node["dependencies"].as_array_mut()?.retain(is_visible);
        node["deps"].as_array_mut()?.retain(|dependency| is_visible(&dependency["pkg"]));
    }
    serde_json::to_vec(&answer).ok()
}

/// The ids of the packages that a cell can name; `None` if there is no cell.
fn visible_packages(answer: &Value) -> Option<BTreeSet<String>> {
    let names = package_names(answer)?;
    let dependencies = dependencies(answer)?;
    let mut visible = BTreeSet::new();
    let mut next: Vec<&String> =
        names.iter().filter(|(_, name)| *name == CELL_CRATE).map(|(id, _)| id).collect();
    if next.is_empty() {
        return None;
    }
    while let Some(id) = next.pop() {
        if visible.insert(id.clone()) {
            let partly =
                PARTLY_VISIBLE.iter().find(|(name, _)| names.get(id).is_some_and(|it| it == name));
            next.extend(dependencies.get(id)?.iter().filter(|dependency| {
                let name = names.get(*dependency).map(String::as_str).unwrap_or_default();
                partly.is_none_or(|(_, visible)| visible.contains(&name))
            }));
        }
    }
    Some(visible)
}

/// The name of each package, by its id.
fn package_names(answer: &Value) -> Option<BTreeMap<String, String>> {
    let name = |package: &Value| {
        Some((package["id"].as_str()?.to_owned(), package["name"].as_str()?.to_owned()))
    };
    answer["packages"].as_array()?.iter().map(name).collect()
}

/// The dependencies of each package, by its id.
fn dependencies(answer: &Value) -> Option<BTreeMap<String, Vec<String>>> {
    let node = |node: &Value| {
        let ids = node["dependencies"].as_array()?.iter();
        let ids = ids.map(|id| Some(id.as_str()?.to_owned())).collect::<Option<Vec<_>>>()?;
        Some((node["id"].as_str()?.to_owned(), ids))
    };
    answer["resolve"]["nodes"].as_array()?.iter().map(node).collect()
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
    fn of_the_library_only_crates_of_its_interface_are_visible() {
        let all = [&LIBRARY[..], &[("ctx", &["tchalk"])]].concat();
        let visible: [(&str, &[&str]); 4] =
            [("tchalk", &["ndarray", "tch"]), ("ndarray", &[]), ("tch", &[]), ("ctx", &["tchalk"])];
        assert_eq!(filtered(&answer(&all)).unwrap(), answer(&visible));
    }

    #[test]
    fn a_dependency_of_the_reader_is_visible_with_all_its_own() {
        let all = [&LIBRARY[..], &[("ctx", &["tchalk", "rand"])]].concat();
        let visible: [(&str, &[&str]); 6] = [
            ("tchalk", &["ndarray", "tch", "rand"]),
            ("ndarray", &["noise"]),
            ("tch", &["rand"]),
            ("rand", &["noise"]),
            ("noise", &[]),
            ("ctx", &["tchalk", "rand"]),
        ];
        assert_eq!(filtered(&answer(&all)).unwrap(), answer(&visible));
    }

    #[test]
    fn other_packages_are_not_filtered() {
        assert_eq!(filtered(&answer(&LIBRARY)), None);
        assert_eq!(filtered(b"error: no manifest"), None);
    }

    #[test]
    fn only_requests_of_rust_analyzer_are_filtered() {
        let asked = |text: &str| {
            is_metadata_request(&text.split(' ').map(OsString::from).collect::<Vec<_>>())
        };
        assert!(asked("metadata --format-version 1 --manifest-path /s/Cargo.toml"));
        assert!(!asked("metadata --format-version 1 --no-deps --manifest-path /s/Cargo.toml"));
        assert!(!asked("--offline metadata --format-version=1"));
        let configuration = |text: &str| {
            is_config_request(&text.split(' ').map(OsString::from).collect::<Vec<_>>())
        };
        assert!(configuration("-Z unstable-options config get --format toml --show-origin"));
        assert!(!configuration("metadata --format-version 1 --manifest-path config"));
    }
}
