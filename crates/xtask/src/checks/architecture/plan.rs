//! What ARCHITECTURE.md says of rooms, floors and exceptions.
//!
//! A row of the table that begins with a number names the floor and, in its second column, the rooms on it. A
//! line `` * `A` → `B`: reason `` allows what lies in `A` to use `B`, although that leads upward or closes a
//! circle. Both are files or folders, named from `crates` on, without `src`: `tchalk/model`,
//! `xtask/setup/kernel.rs`.

/// The rooms of the library, each with its floor, and the exceptions.
pub struct Plan {
    pub rooms: Vec<(String, u32)>,
    pub exceptions: Vec<Exception>,
}

/// An arrow that is allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    pub from: String,
    pub to: String,
}

impl Plan {
    pub fn read(text: &str) -> Plan {
        let mut plan = Plan { rooms: Vec::new(), exceptions: Vec::new() };
        for line in text.lines() {
            plan.exceptions.extend(exception(line));
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            if let ["", floor, rooms, ..] = columns[..]
                && let Ok(floor) = floor.parse()
            {
                let names = rooms.split('`').skip(1).step_by(2);
                plan.rooms.extend(names.map(|name| (name.to_owned(), floor)));
            }
        }
        plan
    }

    /// The room that a file of the library is in, and its floor: the longest name that fits.
    pub fn room(&self, file: &str) -> Option<&(String, u32)> {
        let rooms = self.rooms.iter().filter(|(room, _)| is_in(file, room));
        rooms.max_by_key(|(room, _)| room.len())
    }
}

impl Exception {
    pub fn allows(&self, from: &str, to: &str) -> bool {
        is_in(from, &self.from) && is_in(to, &self.to)
    }
}

fn exception(line: &str) -> Option<Exception> {
    let (from, rest) = line.strip_prefix("* `")?.split_once("` → `")?;
    let (to, reason) = rest.split_once("`:")?;
    let exception = Exception { from: from.to_owned(), to: to.to_owned() };
    (!reason.trim().is_empty()).then_some(exception)
}

/// Whether a file is the one named, with or without its ending, or in the folder of that name.
fn is_in(file: &str, name: &str) -> bool {
    file.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | ".rs") || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_and_exceptions_are_read() {
        let text = "| floor | room | answers |\n|---|---|---|\n| 1 | `plot`, `table` | `x`? |\n\
                    | 0 | `plot/text` | |\n* `a/b` → `c.rs`: a reason\n* `a` → `b`:\n* `a` is it\n";
        let plan = Plan::read(text);
        let rooms = [("plot", 1), ("table", 1), ("plot/text", 0)];
        assert_eq!(plan.rooms, rooms.map(|(name, floor)| (name.to_owned(), floor)));
        assert_eq!(plan.exceptions, [Exception { from: "a/b".into(), to: "c.rs".into() }]);
        assert_eq!(plan.room("plot/text.rs").unwrap().1, 0);
        assert_eq!(plan.room("plot/mod.rs").unwrap().1, 1);
        assert_eq!(plan.room("plotter.rs"), None);
        assert!(plan.exceptions[0].allows("a/b/x.rs", "c.rs"));
        assert!(!plan.exceptions[0].allows("a/bc.rs", "c.rs"));
    }
}
