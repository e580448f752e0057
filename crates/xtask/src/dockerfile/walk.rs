//! Following a Dockerfile from its first line to a container that is healthy.

use super::container::{command, stop};
use super::expand::expand;
use super::ignore::Ignore;
use super::options::Options;
use super::parse::{Instruction, Step, parse};
use super::stage::{Image, Stage, copy_tree};
use crate::command::{first_line, run as run_command};
use crate::paths::{Paths, key, key_of_tree};
use crate::step::duration;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a container may take until it is healthy.
const PATIENCE: Duration = Duration::from_secs(180);

/// What an instruction took.
struct Row {
    line: usize,
    stage: String,
    what: String,
    seconds: f64,
    megabytes: f64,
    received: f64,
}

struct Walk<'a> {
    options: &'a Options,
    context: &'a Path,
    ignore: Ignore,
    /// Arguments before the first `FROM`: only `FROM` sees them.
    global: Vec<(String, String)>,
    stages: Vec<Stage>,
    rows: Vec<Row>,
}

/// `cargo xtask try-dockerfile`.
pub fn follow(paths: &Paths, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let file = options.file.clone().unwrap_or_else(|| paths.root.join("Dockerfile"));
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    let steps = parse(&text).with_context(|| file.display().to_string())?;
    if !options.base.join("etc/debian_version").is_file() {
        bail!(
            "{} is no Debian root: make one with `debootstrap --variant=minbase bookworm FOLDER`",
            options.base.display()
        );
    }
    if first_line("id", &["-u"]).as_deref() != Some("0") {
        bail!("only root can change the root: run this as root");
    }
    let ignored = std::fs::read_to_string(paths.root.join(".dockerignore")).unwrap_or_default();
    let mut walk = Walk {
        options: &options,
        context: &paths.root,
        ignore: Ignore::parse(&ignored),
        global: Vec::new(),
        stages: Vec::new(),
        rows: Vec::new(),
    };
    let followed = walk.all(&steps);
    walk.report();
    followed?;
    walk.container()
}

impl Walk<'_> {
    fn all(&mut self, steps: &[Step]) -> Result<()> {
        let mut rest = steps;
        while let [Step { instruction: Instruction::Arg { name, default }, .. }, more @ ..] = rest {
            let value = self.argument(name, default.as_deref());
            self.global.extend(value.map(|value| (name.clone(), value)));
            rest = more;
        }
        while let [from, more @ ..] = rest {
            let is_from = |step: &Step| matches!(step.instruction, Instruction::From { .. });
            let end = more.iter().position(is_from).unwrap_or(more.len());
            self.stage(from, &more[..end])?;
            rest = &more[end..];
        }
        Ok(())
    }

    /// A build argument: as it was given, or else as the file says.
    fn argument(&self, name: &str, default: Option<&str>) -> Option<String> {
        let given = self.options.build_args.iter().find(|(known, _)| known == name);
        given.map(|(_, value)| value.clone()).or_else(|| default.map(str::to_owned))
    }

    /// One stage. What was made from the same things before is taken over, as Docker does.
    fn stage(&mut self, from: &Step, steps: &[Step]) -> Result<()> {
        let Instruction::From { image, name } = &from.instruction else {
            bail!("line {}: a stage begins with FROM", from.line)
        };
        let name = name.clone().unwrap_or_else(|| format!("stage-{}", self.stages.len()));
        let global = |name: &str| {
            self.global.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let image = expand(image, &global).with_context(|| format!("line {}", from.line))?;
        let root = self.options.work.join(&name);
        let context = self.options.contexts.iter().find(|(known, _)| *known == name);
        if let Some((_, folder)) = context {
            println!("\n── {name}: {} stands for it", folder.display());
            let key = key_of_listing(folder)?;
            self.stages.push(Stage {
                name,
                root: folder.clone(),
                key,
                image: Image::default(),
                args: Vec::new(),
            });
            return Ok(());
        }
        let parent = self.stages.iter().find(|stage| stage.name == image);
        let (source, parent_key, inherited) = match parent {
            Some(parent) => (Some(parent.root.clone()), parent.key.clone(), parent.image.clone()),
            None if image == "scratch" => (None, String::new(), Image::default()),
            None if image.starts_with("debian:") => {
                (Some(self.options.base.clone()), image.clone(), Image::default())
            }
            None => bail!("line {}: nothing here can stand for the image {image}", from.line),
        };
        let key = self.key(&parent_key, steps)?;
        let stamp = self.options.work.join(format!("{name}.key"));
        let done = std::fs::read_to_string(&stamp).is_ok_and(|old| old == key) && root.is_dir();
        println!("\n── {name}, from {image}{}", if done { ": as it was made before" } else { "" });
        if !done {
            let _ = std::fs::remove_file(&stamp);
            if root.exists() {
                std::fs::remove_dir_all(&root)?;
            }
            std::fs::create_dir_all(&self.options.work)?;
            match source {
                Some(source) => copy_tree(&source, &root)?,
                None => std::fs::create_dir(&root)?,
            }
        }
        let mut stage = Stage {
            name: name.clone(),
            root,
            key: key.clone(),
            image: inherited,
            args: Vec::new(),
        };
        let mut before = if done { 0.0 } else { megabytes(&stage.root) };
        for step in steps {
            let (begun, received) = (Instant::now(), received());
            self.step(&mut stage, step, done).with_context(|| format!("line {}", step.line))?;
            if done || !changes_files(&step.instruction) {
                continue;
            }
            let after = megabytes(&stage.root);
            self.rows.push(Row {
                line: step.line,
                stage: name.clone(),
                what: told(&step.instruction),
                seconds: begun.elapsed().as_secs_f64(),
                megabytes: after - before,
                received: self::received() - received,
            });
            before = after;
        }
        std::fs::write(&stamp, key)?;
        self.stages.push(stage);
        Ok(())
    }

    /// What a stage is made from: its parent, its instructions, arguments, and what it copies.
    fn key(&self, parent: &str, steps: &[Step]) -> Result<String> {
        let mut parts = vec![parent.to_owned()];
        for step in steps {
            parts.push(format!("{:?}", step.instruction));
            match &step.instruction {
                Instruction::Arg { name, default } => {
                    parts.extend(self.argument(name, default.as_deref()));
                }
                Instruction::Copy { from: Some(from), .. } => {
                    parts.push(self.named(from)?.key.clone());
                }
                Instruction::Copy { from: None, sources, .. } => {
                    for source in sources {
                        let path = self.context.join(source);
                        parts.push(match path.is_dir() {
                            true => key_of_tree(&path)?,
                            false => std::fs::read_to_string(&path).unwrap_or_default(),
                        });
                    }
                }
                _ => {}
            }
        }
        Ok(key(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    fn named(&self, name: &str) -> Result<&Stage> {
        let known = self.stages.iter().find(|stage| stage.name == name);
        known.with_context(|| format!("COPY --from={name}: there is no such stage before it"))
    }

    /// One instruction; of a stage that is `done` only what it says about programs.
    fn step(&self, stage: &mut Stage, step: &Step, done: bool) -> Result<()> {
        let options = self.options;
        let value = |text: &str| expand(text, &|name| stage.value(name));
        match &step.instruction {
            Instruction::From { .. } => bail!("FROM begins a stage"),
            Instruction::Arg { name, default } => {
                let default = default.as_deref().map(value).transpose()?;
                let given = self.argument(name, default.as_deref());
                stage.args.extend(given.map(|given| (name.clone(), given)));
            }
            Instruction::Env(pairs) => {
                let pairs: Result<Vec<_>> =
                    pairs.iter().map(|(name, text)| Ok((name.clone(), value(text)?))).collect();
                stage.image.variables.extend(pairs?);
            }
            Instruction::WorkDir(path) => {
                let folder = stage.inside(&value(path)?);
                if !done {
                    stage.make_folder(&folder)?;
                }
                stage.image.folder = Some(folder);
            }
            Instruction::User(user) => stage.image.user = Some(value(user)?),
            Instruction::EntryPoint(words) => stage.image.entry_point = words.clone(),
            Instruction::Cmd(words) => stage.image.cmd = words.clone(),
            Instruction::HealthCheck(words) => stage.image.health = words.clone(),
            Instruction::Expose(_) => {}
            Instruction::Run(_) | Instruction::Copy { .. } if done => {}
            Instruction::Run(shell) => {
                println!("\nline {}: RUN {shell:.100}", step.line);
                stage.run(shell, &options.variables, &options.lent)?;
            }
            Instruction::Copy { from, sources, target } => {
                let target = value(target)?;
                for source in sources {
                    let source = value(source)?;
                    match from {
                        Some(from) => {
                            stage.copy_stage(&self.named(from)?.root, &source, &target)?
                        }
                        None => {
                            stage.copy_context(self.context, &self.ignore, &source, &target)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn report(&self) {
        if self.rows.is_empty() {
            return;
        }
        println!("\n── what each step took (received: by the whole machine meanwhile)");
        println!(
            "{:>4}  {:<10} {:>12} {:>10} {:>10}  step",
            "line", "stage", "time", "MB", "MB in"
        );
        for row in &self.rows {
            println!(
                "{:>4}  {:<10} {:>12} {:>10.0} {:>10.0}  {}",
                row.line,
                row.stage,
                duration(row.seconds),
                row.megabytes,
                row.received,
                row.what
            );
        }
        if let Some(stage) = self.stages.last() {
            println!("the last stage, {}, has {:.0} MB", stage.name, megabytes(&stage.root));
        }
    }

    /// Starts the image as `docker run` does, waits until it is healthy, and asks what was to be
    /// asked.
    fn container(&self) -> Result<()> {
        let stage = self.stages.last().context("there is no stage")?;
        let image = &stage.image;
        let words: Vec<&str> =
            image.entry_point.iter().chain(&image.cmd).map(String::as_str).collect();
        if words.is_empty() || image.health.is_empty() {
            return self.probe(stage);
        }
        println!("\n── a container: {}", words.join(" "));
        let variables = [&image.variables[..], &self.options.run_variables].concat();
        let around = stage.surroundings(self.options.user.as_deref(), variables, &[]);
        let mut container = command(&around, &words)?.stdin(Stdio::null()).spawn()?;
        let begun = Instant::now();
        let healthy = loop {
            if let Some(status) = container.try_wait()? {
                bail!("the container ended by itself ({status})");
            }
            let words: Vec<&str> = image.health.iter().map(String::as_str).collect();
            let check = command(&around, &words)?.stderr(Stdio::null()).status()?;
            if check.success() || begun.elapsed() > PATIENCE {
                break check.success();
            }
            std::thread::sleep(Duration::from_secs(1));
        };
        let result = match healthy {
            true => {
                println!("healthy after {}", duration(begun.elapsed().as_secs_f64()));
                self.probe(stage)
            }
            false => Err(anyhow::anyhow!("not healthy after {} s", PATIENCE.as_secs())),
        };
        let begun = Instant::now();
        stop(&mut container)?;
        println!("stopped in {}", duration(begun.elapsed().as_secs_f64()));
        result
    }

    /// What `docker exec` would run.
    fn probe(&self, stage: &Stage) -> Result<()> {
        let Some(probe) = &self.options.probe else { return Ok(()) };
        println!("\n── in the container: {probe}");
        let begun = Instant::now();
        let variables = [&stage.image.variables[..], &self.options.run_variables].concat();
        let around = stage.surroundings(self.options.user.as_deref(), variables, &[]);
        run_command(&mut command(&around, &["/bin/sh", "-c", probe])?)?;
        println!("done in {}", duration(begun.elapsed().as_secs_f64()));
        Ok(())
    }
}

/// The key of a folder whose files may be large: names, sizes and times.
fn key_of_listing(folder: &Path) -> Result<String> {
    let list = Command::new("find").arg(folder).args(["-printf", "%P %s %T@\n"]).output()?;
    if !list.status.success() {
        bail!("cannot list {}: {}", folder.display(), String::from_utf8_lossy(&list.stderr).trim());
    }
    let text = String::from_utf8_lossy(&list.stdout);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    Ok(key(&lines))
}

fn changes_files(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Run(_) | Instruction::Copy { .. })
}

/// The beginning of an instruction, for a table.
fn told(instruction: &Instruction) -> String {
    match instruction {
        Instruction::Run(shell) => {
            let words: Vec<&str> = shell.split_whitespace().collect();
            format!("RUN {:.60}", words.join(" "))
        }
        Instruction::Copy { from, sources, target } => {
            let from = from.as_ref().map_or(String::new(), |from| format!("--from={from} "));
            format!("COPY {from}{} {target}", sources.join(" "))
        }
        other => format!("{other:?}"),
    }
}

/// The size of a folder.
fn megabytes(folder: &Path) -> f64 {
    let folder: PathBuf = folder.into();
    let text = first_line("du", &["-sxk", &folder.to_string_lossy()]).unwrap_or_default();
    let kilobytes: Option<f64> = text.split_whitespace().next().and_then(|n| n.parse().ok());
    kilobytes.unwrap_or_default() * 1024.0 / 1e6
}

/// What this machine has received over its network so far, in MB.
fn received() -> f64 {
    let text = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let bytes = text.lines().filter_map(|line| {
        let (name, counts) = line.split_once(':')?;
        let count: f64 = counts.split_whitespace().next()?.parse().ok()?;
        (name.trim() != "lo").then_some(count)
    });
    bytes.sum::<f64>() / 1e6
}
