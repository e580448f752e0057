//! Reading a Dockerfile.

use anyhow::{Context, Result, bail};

/// One instruction, and the line it begins at.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub line: usize,
    pub instruction: Instruction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Instruction {
    From { image: String, name: Option<String> },
    Arg { name: String, default: Option<String> },
    Env(Vec<(String, String)>),
    Run(String),
    Copy { from: Option<String>, sources: Vec<String>, target: String },
    User(String),
    WorkDir(String),
    Expose(String),
    HealthCheck(Vec<String>),
    EntryPoint(Vec<String>),
    Cmd(Vec<String>),
}

/// All instructions, in order; an error names the line.
pub fn parse(text: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (line, text) in logical_lines(text)? {
        let instruction = instruction(&text).with_context(|| format!("line {line}"))?;
        steps.push(Step { line, instruction });
    }
    match steps.iter().find(|step| !matches!(step.instruction, Instruction::Arg { .. })) {
        Some(Step { instruction: Instruction::From { .. }, .. }) => Ok(steps),
        Some(step) => bail!("line {}: FROM has to come first", step.line),
        None => bail!("there is no FROM"),
    }
}

/// Lines that a backslash continues, joined; without comments and empty lines.
fn logical_lines(text: &str) -> Result<Vec<(usize, String)>> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (begun, mut joined) = open.take().unwrap_or((number + 1, String::new()));
        match line.trim_end().strip_suffix('\\') {
            Some(part) => {
                joined.push_str(part);
                open = Some((begun, joined));
            }
            None => {
                joined.push_str(line.trim_end());
                lines.push((begun, joined.trim().to_owned()));
            }
        }
    }
    match open {
        Some((line, _)) => bail!("line {line}: the last line ends in a backslash"),
        None => Ok(lines),
    }
}

fn instruction(text: &str) -> Result<Instruction> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    if rest.is_empty() {
        bail!("{name} says nothing");
    }
    Ok(match name.to_ascii_uppercase().as_str() {
        "FROM" => from(rest)?,
        "ARG" => match rest.split_once('=') {
            Some((name, default)) => {
                Instruction::Arg { name: name.into(), default: Some(unquoted(default)?) }
            }
            None => Instruction::Arg { name: rest.into(), default: None },
        },
        "ENV" => Instruction::Env(pairs(rest)?),
        "RUN" => Instruction::Run(shell_form(name, rest)?),
        "COPY" => copy(rest)?,
        "USER" => Instruction::User(rest.into()),
        "WORKDIR" => Instruction::WorkDir(rest.into()),
        "EXPOSE" => Instruction::Expose(rest.into()),
        "HEALTHCHECK" => {
            let (_, command) = rest.split_once("CMD").context("HEALTHCHECK without CMD")?;
            Instruction::HealthCheck(exec_form("HEALTHCHECK", command.trim())?)
        }
        "ENTRYPOINT" => Instruction::EntryPoint(exec_form(name, rest)?),
        "CMD" => Instruction::Cmd(exec_form(name, rest)?),
        _ => bail!("{name} is not an instruction that is followed here"),
    })
}

fn from(rest: &str) -> Result<Instruction> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words[..] {
        [image] if !image.starts_with("--") => {
            Ok(Instruction::From { image: image.into(), name: None })
        }
        [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => {
            Ok(Instruction::From { image: image.into(), name: Some(name.into()) })
        }
        _ => bail!("expected FROM image [AS name], got FROM {rest}"),
    }
}

fn copy(rest: &str) -> Result<Instruction> {
    let mut from = None;
    let mut paths = Vec::new();
    for word in rest.split_whitespace() {
        match word.strip_prefix("--") {
            Some(flag) => match flag.strip_prefix("from=") {
                Some(stage) => from = Some(stage.to_owned()),
                None => bail!("COPY --{flag} is not followed here"),
            },
            None => paths.push(word.to_owned()),
        }
    }
    match paths.pop() {
        Some(target) if !paths.is_empty() => {
            if paths.len() > 1 && !target.ends_with('/') {
                bail!("COPY of several files needs a target that ends in /, got {target}");
            }
            Ok(Instruction::Copy { from, sources: paths, target })
        }
        _ => bail!("COPY needs a source and a target, got {rest:?}"),
    }
}

/// `A=1 B="two words"`.
fn pairs(rest: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for word in words(rest)? {
        let (name, value) =
            word.split_once('=').with_context(|| format!("expected NAME=value, got {word:?}"))?;
        pairs.push((name.into(), unquoted(value)?));
    }
    Ok(pairs)
}

/// Splits at white space outside quotation marks, which stay.
fn words(text: &str) -> Result<Vec<String>> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        let word = words.last_mut().expect("there is always one");
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(String::new());
                }
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                word.push(c);
            }
            (Some(open), c) => {
                if c == open {
                    quote = None;
                }
                word.push(c);
            }
            (None, c) => word.push(c),
        }
    }
    if quote.is_some() {
        bail!("a quotation mark is not closed: {text}");
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

fn unquoted(value: &str) -> Result<String> {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            let inner = inner.strip_suffix(quote).context("a quotation mark is not closed")?;
            return Ok(inner.into());
        }
    }
    Ok(value.into())
}

fn shell_form(name: &str, rest: &str) -> Result<String> {
    if rest.starts_with('[') || rest.starts_with("--") || rest.starts_with("<<") {
        bail!("only {name} with a command of the shell is followed here, got {rest:.40}");
    }
    Ok(rest.into())
}

fn exec_form(name: &str, rest: &str) -> Result<Vec<String>> {
    serde_json::from_str(rest).with_context(|| format!("{name} needs a list: {name} [\"program\"]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instructions(text: &str) -> Vec<Instruction> {
        parse(text).unwrap().into_iter().map(|step| step.instruction).collect()
    }

    #[test]
    fn lines_are_joined_and_comments_in_between_left_out() {
        let text = "# syntax\nFROM debian:12 AS base\n\nRUN one \\\n  # why two\n && two\n";
        let steps = parse(text).unwrap();
        assert_eq!((steps[0].line, steps[1].line), (2, 4));
        let Instruction::Run(command) = &steps[1].instruction else { panic!("{steps:?}") };
        assert_eq!(command.split_whitespace().collect::<Vec<_>>(), ["one", "&&", "two"]);
    }

    #[test]
    fn each_instruction_is_read() {
        let found = instructions(
            "ARG D=debian:12\nFROM ${D} AS a\nENV A=1 B=\"two words\"\nCOPY --from=x a b /c/\n\
             HEALTHCHECK --interval=1s CMD [\"true\"]\nCMD [\"lab\"]",
        );
        assert_eq!(
            found[0],
            Instruction::Arg { name: "D".into(), default: Some("debian:12".into()) }
        );
        assert_eq!(found[1], Instruction::From { image: "${D}".into(), name: Some("a".into()) });
        assert_eq!(
            found[2],
            Instruction::Env(vec![("A".into(), "1".into()), ("B".into(), "two words".into())])
        );
        assert_eq!(
            found[3],
            Instruction::Copy {
                from: Some("x".into()),
                sources: vec!["a".into(), "b".into()],
                target: "/c/".into()
            }
        );
        assert_eq!(found[4], Instruction::HealthCheck(vec!["true".into()]));
        assert_eq!(found[5], Instruction::Cmd(vec!["lab".into()]));
    }

    #[test]
    fn what_is_not_followed_is_refused_with_its_line() {
        for (text, words) in [
            ("FROM a\nADD b c", "line 2: ADD is not"),
            ("FROM a\nRUN --mount=type=cache x", "only RUN with a command"),
            ("FROM a\nCOPY --chmod=1 b c", "--chmod=1 is not followed"),
            ("FROM a\nCOPY b c d", "ends in /"),
            ("FROM a\nCMD lab", "needs a list"),
            ("FROM --platform=x a", "expected FROM image"),
            ("RUN x", "FROM has to come first"),
            ("FROM a\nRUN x \\", "ends in a backslash"),
            ("FROM a\nENV A=\"b", "not closed"),
            ("# nothing", "no FROM"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
