//! The names of the layers of a graph.

use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};

/// A node's given name, or what its automatic name is made from.
pub(super) struct NameRequest {
    pub(super) given: Option<String>,
    pub(super) kind: String,
    pub(super) repr: String,
    /// What two uses of one layer have in common.
    pub(super) shared: Option<usize>,
}

/// A name for each node. Given names are kept, the others become `dense`, `dense_1`, … in order. The
/// second use of a layer is `dense:2`.
pub(super) fn assign(op: &str, wanted: &[NameRequest]) -> Result<Vec<String>> {
    let mut owners: HashMap<&str, &NameRequest> = HashMap::new();
    for one in wanted {
        let Some(name) = &one.given else { continue };
        check(op, name)?;
        match owners.get(name.as_str()) {
            Some(owner) if owner.shared.is_none() || owner.shared != one.shared => {
                return Err(Error::invalid(
                    op,
                    "a name of its own for every layer",
                    format!("two layers {name:?}: {} and {}", owner.repr, one.repr),
                    "Give one of them another name: .named(\"…\") for a layer, .name(\"…\") for a \
                     model.",
                ));
            }
            Some(_) => {}
            None => drop(owners.insert(name, one)),
        }
    }
    let mut taken: HashSet<String> = owners.keys().map(|&name| name.to_owned()).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    // The name and the number of uses of each shared layer so far.
    let mut used: HashMap<(usize, Option<&str>), (String, usize)> = HashMap::new();
    let mut names = Vec::with_capacity(wanted.len());
    for one in wanted {
        let key = one.shared.map(|shared| (shared, one.given.as_deref()));
        if let Some((name, uses)) = key.and_then(|key| used.get_mut(&key)) {
            *uses += 1;
            names.push(format!("{name}:{uses}"));
            continue;
        }
        let name = match &one.given {
            Some(name) => name.clone(),
            None => loop {
                let count = counts.entry(&one.kind).or_default();
                let name = match *count {
                    0 => one.kind.clone(),
                    count => format!("{}_{count}", one.kind),
                };
                *count += 1;
                if taken.insert(name.clone()) {
                    break name;
                }
            },
        };
        if let Some(key) = key {
            used.insert(key, (name.clone(), 1));
        }
        names.push(name);
    }
    Ok(names)
}

/// Refuses names that would make a path ambiguous.
pub(super) fn check(op: &str, name: &str) -> Result<()> {
    let bad = |c: char| matches!(c, '/' | ':') || c.is_control();
    if !name.is_empty() && name.len() <= 200 && !name.contains(bad) {
        return Ok(());
    }
    let expected = "a name of 1 to 200 bytes without / and :";
    Err(Error::invalid(
        op,
        expected,
        format!("{:?}", name.chars().take(60).collect::<String>()),
        "",
    ))
}
