//! What a check has found.

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    Good(String),
    /// Works, but worth knowing.
    Note(String),
    /// What is wrong, and the remedy.
    Bad(String, String),
}
use Finding::{Bad, Good, Note};

/// The name of a check, and what it has found.
pub type Line = (&'static str, Finding);

/// A line as it is printed; a remedy takes a second one.
pub fn printed((name, finding): &Line) -> String {
    match finding {
        Good(what) => format!("ok  {name:<25} {what}"),
        Note(what) => format!("--  {name:<25} {what}"),
        Bad(what, remedy) => format!("!!  {name:<25} {what}\n    {:<25} → {remedy}", ""),
    }
}

/// How many are wrong.
pub fn count_faults(lines: &[Line]) -> usize {
    lines.iter().filter(|(_, finding)| matches!(finding, Bad(..))).count()
}

/// `1 of these has to be mended`, `2 of these have to be mended`.
pub fn to_fix(faults: usize) -> String {
    format!("{faults} of these {} to be mended", if faults == 1 { "has" } else { "have" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fault_has_and_two_have() {
        let lines = [("a", Good("x".into())), ("b", Bad("y".into(), "z".into()))];
        assert_eq!(count_faults(&lines), 1);
        assert!(to_fix(1).starts_with("1 of these has "));
        assert!(to_fix(2).starts_with("2 of these have "));
    }
}
