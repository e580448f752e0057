//! The result of a check.

/// What a check has found.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    Good(String),
    /// No fault, but useful to know.
    Note(String),
    /// A fault, and its remedy.
    Bad(String, String),
}
use Finding::{Bad, Good, Note};

/// The name of a check, and what it has found.
pub type Line = (&'static str, Finding);

/// The line that is printed; a remedy takes a second one.
pub fn format_line((name, finding): &Line) -> String {
    match finding {
        Good(what) => format!("ok  {name:<25} {what}"),
        Note(what) => format!("--  {name:<25} {what}"),
        Bad(what, remedy) => format!("!!  {name:<25} {what}\n    {:<25} → {remedy}", ""),
    }
}

/// The number of faults.
pub fn count_faults(lines: &[Line]) -> usize {
    lines.iter().filter(|(_, finding)| matches!(finding, Bad(..))).count()
}

/// `1 of these has to be fixed`, `2 of these have to be fixed`.
pub fn to_fix(faults: usize) -> String {
    format!("{faults} of these {} to be fixed", if faults == 1 { "has" } else { "have" })
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
