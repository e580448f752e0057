//! `cargo xtask architecture`: checks the code against ARCHITECTURE.md, and prints how large it is.
//!
//! A room of the library uses rooms on its own floor or below; no files use each other in a circle. What
//! differs is an exception with a reason in ARCHITECTURE.md, and an exception that nothing needs is a fault.
//! Names keep to CONTRIBUTING.md's table of words.

mod modules;
mod numbers;
mod plan;
mod questions;
mod source;
mod vocabulary;

use crate::common::files::files_below;
use crate::common::paths::Paths;
use anyhow::{Context, Result, bail};
use modules::Crate;
use numbers::{LONG, Lines};
use plan::{Exception, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const LIBRARY: &str = "tchalk";

/// All crates' files by number, and the arrows between them with the line that says so.
#[derive(Default)]
struct House {
    /// Named from `crates` on, without `src`.
    names: Vec<String>,
    /// Those that only tests use.
    tests: BTreeSet<usize>,
    arrows: BTreeMap<(usize, usize), usize>,
    /// How many lines there are, by room of the library or by crate.
    lines: BTreeMap<String, Lines>,
    files_of_tests: Lines,
    functions: Vec<(String, usize)>,
    public_names: BTreeMap<String, usize>,
    /// Names with a word that CONTRIBUTING.md tells not to use.
    unwanted_names: Vec<String>,
}

/// What does not fit the plan.
#[derive(Debug, Default, PartialEq)]
struct Faults {
    upward: Vec<String>,
    circles: Vec<String>,
    other: Vec<String>,
}

/// Prints the numbers, and fails if anything does not fit.
pub fn run(paths: &Paths) -> Result<()> {
    let (house, plan) = read(&paths.root)?;
    let without = Plan { exceptions: Vec::new(), ..Plan::read(&plan_text(&paths.root)?) };
    let bare = house.faults(&without);
    house.print(&bare, plan.exceptions.len());
    check(house.faults(&plan))?;
    check(Faults { other: questions::faults(&paths.root)?, ..Faults::default() })
}

/// An error that names what does not fit ARCHITECTURE.md.
fn check(faults: Faults) -> Result<()> {
    let all = [faults.other, faults.upward, faults.circles].concat();
    match all.is_empty() {
        true => Ok(()),
        false => bail!("the code differs from its documents:\n{}", all.join("\n")),
    }
}

fn plan_text(root: &Path) -> Result<String> {
    std::fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")
}

fn read(root: &Path) -> Result<(House, Plan)> {
    let plan = Plan::read(&plan_text(root)?);
    let mut crates: Vec<_> =
        std::fs::read_dir(root.join("crates"))?.flatten().map(|entry| entry.path()).collect();
    crates.sort();
    let mut house = House::default();
    let contributing = std::fs::read_to_string(root.join("CONTRIBUTING.md"))?;
    let unwanted = vocabulary::unwanted(&contributing);
    for folder in crates {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let roots = ["lib.rs", "main.rs"].map(|root| folder.join("src").join(root));
        let root = roots.iter().find(|root| root.is_file()).context("a crate has a root file")?;
        let code = Crate::read(root)?;
        house.add(&name, &code, &plan);
        for file in &code.files {
            let full = format!("{name}/{}", file.name);
            house.unwanted_names.extend(vocabulary::faults(&full, &file.source, &unwanted));
        }
        house.add_tests(&folder.join("tests"))?;
    }
    Ok((house, plan))
}

impl House {
    fn add(&mut self, name: &str, code: &Crate, plan: &Plan) {
        let first = self.names.len();
        for file in &code.files {
            let full = format!("{name}/{}", file.name);
            let room = plan.room(&file.name).filter(|_| name == LIBRARY);
            let room = room.map_or(name.to_owned(), |(room, _)| format!("{name}/{room}"));
            *self.lines.entry(room).or_default() += Lines::of(file);
            for function in numbers::functions(file) {
                let label = format!("{full}:{} {}", function.line, function.name);
                self.functions.push((label, function.length));
            }
            *self.public_names.entry(name.to_owned()).or_default() += numbers::public_names(file);
            if file.is_test(0) {
                self.tests.insert(self.names.len());
            }
            self.names.push(full);
        }
        let arrows = code.arrows.iter();
        self.arrows.extend(arrows.map(|(&(a, b), &line)| ((first + a, first + b), line)));
    }

    /// Counts the lines of a crate's integration tests.
    fn add_tests(&mut self, folder: &Path) -> Result<()> {
        if !folder.is_dir() {
            return Ok(());
        }
        for path in files_below(folder)? {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let source = source::Source::parse(&std::fs::read_to_string(path)?);
                let tests = vec![(0, source.lines.len())];
                let file = modules::File { name: String::new(), source, tests };
                self.files_of_tests += Lines::of(&file);
            }
        }
        Ok(())
    }

    fn faults(&self, plan: &Plan) -> Faults {
        let mut faults = Faults::default();
        let mut unneeded: Vec<&Exception> = plan.exceptions.iter().collect();
        let mut allowed = BTreeSet::new();
        for &(from, to) in self.arrows.keys() {
            let names = (&self.names[from], &self.names[to]);
            if plan.exceptions.iter().any(|exception| exception.allows(names.0, names.1)) {
                allowed.insert((from, to));
            }
        }
        let upward = self.upward(plan, &mut faults);
        let circles = self.circles(&BTreeSet::new());
        for &(from, to) in &allowed {
            let in_circle =
                circles.iter().any(|circle| circle.contains(&from) && circle.contains(&to));
            if in_circle || upward.contains(&(from, to)) {
                unneeded.retain(|exception| !exception.allows(&self.names[from], &self.names[to]));
            }
        }
        let upward = upward.iter().filter(|arrow| !allowed.contains(arrow));
        faults.upward = upward.map(|arrow| format!("upward: {}", self.arrow(arrow))).collect();
        let circles = self.circles(&allowed);
        faults.circles = circles.iter().map(|circle| self.circle(circle, &allowed)).collect();
        let unneeded = unneeded.iter();
        let unneeded =
            unneeded.map(|it| format!("nothing needs the exception `{}` → `{}`", it.from, it.to));
        faults.other.extend(unneeded);
        faults.other.extend(self.unwanted_names.iter().cloned());
        faults
    }

    /// The library's arrows to a higher floor; files without a room are noted in `faults`.
    fn upward(&self, plan: &Plan, faults: &mut Faults) -> BTreeSet<(usize, usize)> {
        let in_library =
            |file: usize| self.names[file].strip_prefix("tchalk/").filter(|name| *name != "lib.rs");
        let floor = |file: usize| plan.room(in_library(file)?).map(|(_, floor)| *floor);
        for file in (0..self.names.len()).filter(|file| !self.tests.contains(file)) {
            if in_library(file).is_some() && floor(file).is_none() {
                faults.other.push(format!("the table has no room for {}", self.names[file]));
            }
        }
        let is_upward = |&&(from, to): &&(usize, usize)| match (floor(from), floor(to)) {
            (Some(from), Some(to)) => to > from,
            _ => false,
        };
        self.arrows.keys().filter(is_upward).copied().collect()
    }

    /// The sets of files that use each other in a circle, without the arrows that are allowed.
    fn circles(&self, allowed: &BTreeSet<(usize, usize)>) -> Vec<BTreeSet<usize>> {
        let mut used_by = vec![Vec::new(); self.names.len()];
        for arrow in self.arrows.keys().filter(|arrow| !allowed.contains(arrow)) {
            used_by[arrow.0].push(arrow.1);
        }
        let reached: Vec<BTreeSet<usize>> = (0..used_by.len())
            .map(|file| {
                let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
                while let Some(file) = next.pop() {
                    next.extend(used_by[file].iter().filter(|used| reached.insert(**used)));
                }
                reached
            })
            .collect();
        let mut circles: Vec<BTreeSet<usize>> = Vec::new();
        for (file, reaches) in reached.iter().enumerate() {
            if reaches.contains(&file) && !circles.iter().any(|circle| circle.contains(&file)) {
                circles.push(
                    reaches
                        .iter()
                        .copied()
                        .filter(|other| reached[*other].contains(&file))
                        .collect(),
                );
            }
        }
        circles
    }

    fn arrow(&self, arrow: &(usize, usize)) -> String {
        let line = self.arrows[arrow] + 1;
        format!("{}:{line} uses {}", self.names[arrow.0], self.names[arrow.1])
    }

    fn circle(&self, circle: &BTreeSet<usize>, allowed: &BTreeSet<(usize, usize)>) -> String {
        let arrows = self.arrows.keys().filter(|arrow| !allowed.contains(arrow));
        let inside = arrows.filter(|(from, to)| circle.contains(from) && circle.contains(to));
        let inside: Vec<_> = inside.map(|arrow| format!("\n  {}", self.arrow(arrow))).collect();
        format!("a circle of {} files:{}", circle.len(), inside.concat())
    }

    fn print(&self, bare: &Faults, exceptions: usize) {
        self.print_lines();
        self.print_functions();
        let names = self.public_names.iter().map(|(name, count)| format!("{name} {count}"));
        println!("\npublic names: {}", names.collect::<Vec<_>>().join(", "));
        println!("{} files, {} arrows between them", self.names.len(), self.arrows.len());
        println!("{} circles, {} arrows upward", bare.circles.len(), bare.upward.len());
        for fault in bare.upward.iter().chain(&bare.circles) {
            println!("{fault}");
        }
        println!("{} names with a word to avoid", self.unwanted_names.len());
        println!("{exceptions} exceptions in ARCHITECTURE.md");
    }

    fn print_lines(&self) {
        let head = ["code", "tests", "docs", "comments", "blank", "all"];
        println!("{:<28}{}", "lines", head.map(|word| format!("{word:>10}")).concat());
        let row = |name: &str, lines: &Lines| {
            let Lines { code, tests, documentation, comments, blank } = *lines;
            let numbers = [code, tests, documentation, comments, blank, lines.all()];
            println!("{name:<28}{}", numbers.map(|number| format!("{number:>10}")).concat());
        };
        let mut sum = self.files_of_tests;
        for (name, lines) in &self.lines {
            row(name, lines);
            sum += *lines;
        }
        row("files of tests", &self.files_of_tests);
        row("sum", &sum);
    }

    fn print_functions(&self) {
        let mut functions: Vec<_> = self.functions.iter().collect();
        functions.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
        let median = functions.get(functions.len() / 2).map_or(0, |(_, length)| *length);
        let long: Vec<_> = functions.iter().filter(|(_, length)| *length > LONG).collect();
        let (all, over) = (functions.len(), long.len());
        println!("\n{all} functions, median {median} lines, {over} above {LONG}");
        for (label, length) in long {
            println!("  {length:>4} {label}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library with these arrows between its files.
    fn house(arrows: &[(&str, &str)]) -> House {
        let mut house = House::default();
        let mut file = |name: &str| {
            let name = format!("tchalk/{name}");
            let known = house.names.iter().position(|other| *other == name);
            known.unwrap_or_else(|| {
                house.names.push(name);
                house.names.len() - 1
            })
        };
        let arrows: Vec<_> = arrows.iter().map(|&(from, to)| (file(from), file(to))).collect();
        house.arrows = arrows.into_iter().map(|arrow| (arrow, 0)).collect();
        house
    }

    const TABLE: &str = "| 1 | `up` | |\n| 0 | `low` | |\n";

    #[test]
    fn an_arrow_upward_is_a_fault_unless_there_is_a_reason() {
        let house = house(&[("up/a.rs", "low/b.rs"), ("low/c.rs", "up/a.rs")]);
        let faults = house.faults(&Plan::read(TABLE));
        assert_eq!(faults.upward, ["upward: tchalk/low/c.rs:1 uses tchalk/up/a.rs"]);
        let plan = Plan::read(&format!("{TABLE}* `tchalk/low` → `tchalk/up/a.rs`: why\n"));
        assert_eq!(house.faults(&plan), Faults::default());
    }

    #[test]
    fn a_circle_is_a_fault_unless_one_of_its_arrows_has_a_reason() {
        let house =
            house(&[("up/a.rs", "up/b.rs"), ("up/b.rs", "up/c.rs"), ("up/c.rs", "up/a.rs")]);
        let faults = house.faults(&Plan::read(TABLE));
        assert!(faults.circles[0].starts_with("a circle of 3 files:\n  tchalk/up/a.rs:1"));
        let plan = Plan::read(&format!("{TABLE}* `tchalk/up/c.rs` → `tchalk/up`: why\n"));
        assert_eq!(house.faults(&plan), Faults::default());
    }

    #[test]
    fn what_nothing_needs_and_what_has_no_room_are_faults() {
        let house = house(&[("up/a.rs", "low/b.rs"), ("other.rs", "low/b.rs")]);
        let plan = Plan::read(&format!("{TABLE}* `tchalk/up` → `tchalk/low`: why\n"));
        let faults = house.faults(&plan);
        assert!(faults.other.iter().any(|it| it == "the table has no room for tchalk/other.rs"));
        assert!(faults.other.iter().any(|it| it.starts_with("nothing needs the exception")));
    }

    #[test]
    fn the_code_is_as_architecture_md_says() {
        let (house, plan) = read(&Paths::find().unwrap().root).unwrap();
        check(house.faults(&plan)).unwrap();
    }

    #[test]
    fn documents_name_files_that_exist_and_that_answer() {
        let found = questions::faults(&Paths::find().unwrap().root).unwrap();
        assert_eq!(found, Vec::<String>::new());
    }
}
