//! A stage: a root, and what its image says about the programs that run in it.

use super::container::{Surroundings, command};
use super::ignore::Ignore;
use crate::command::{run, run_quietly};
use crate::paths::files_below;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an image says about the programs that run in it.
#[derive(Debug, Clone, Default)]
pub struct Image {
    pub variables: Vec<(String, String)>,
    pub user: Option<String>,
    pub folder: Option<String>,
    pub entry_point: Vec<String>,
    pub cmd: Vec<String>,
    pub health: Vec<String>,
}

pub struct Stage {
    pub name: String,
    pub root: PathBuf,
    /// What the stage was made from; see `walk`.
    pub key: String,
    pub image: Image,
    /// Build arguments in scope.
    pub args: Vec<(String, String)>,
}

impl Stage {
    /// What a variable is for the rest of this stage: `ENV` hides a build argument.
    pub fn value(&self, name: &str) -> Option<String> {
        let of = |list: &[(String, String)]| {
            list.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        of(&self.image.variables).or_else(|| of(&self.args))
    }

    fn folder(&self) -> &str {
        self.image.folder.as_deref().unwrap_or("/")
    }

    /// Where a path of an instruction is inside the stage.
    pub fn inside(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{}/{path}", self.folder().trim_end_matches('/')),
        }
    }

    /// A path inside the stage, as this machine sees it.
    fn on_disk(&self, path: &str) -> PathBuf {
        self.root.join(self.inside(path).trim_start_matches('/'))
    }

    /// `RUN`: a command of the shell, with the build arguments in its environment.
    pub fn run(
        &self,
        shell: &str,
        more: &[(String, String)],
        lent: &[(PathBuf, PathBuf)],
    ) -> Result<()> {
        let variables = [&self.args[..], more, &self.image.variables[..]].concat();
        let around = self.surroundings(None, variables, lent);
        run(&mut command(&around, &["/bin/sh", "-c", shell])?)
    }

    /// What a program of the image finds around it; as `user`, if not as the image says.
    pub fn surroundings<'a>(
        &'a self,
        user: Option<&'a str>,
        variables: Vec<(String, String)>,
        lent: &'a [(PathBuf, PathBuf)],
    ) -> Surroundings<'a> {
        let user = user.or(self.image.user.as_deref()).unwrap_or("root");
        Surroundings { root: &self.root, user, folder: self.folder(), variables, lent }
    }

    pub fn make_folder(&self, path: &str) -> Result<()> {
        let folder = self.on_disk(path);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))
    }

    /// `COPY`: from a folder whose files an image may have unless they are ignored.
    pub fn copy_context(
        &self,
        context: &Path,
        ignore: &Ignore,
        from: &str,
        to: &str,
    ) -> Result<()> {
        let source = context.join(from.trim_start_matches("./"));
        let files = match source.is_dir() {
            true => files_below(&source)?,
            false => vec![source.clone()],
        };
        let mut copied = 0;
        for file in files {
            let name = file.strip_prefix(context).unwrap_or(&file).to_string_lossy().into_owned();
            if ignore.ignores(&name) {
                continue;
            }
            let target = match source.is_dir() {
                true => self.on_disk(to).join(file.strip_prefix(&source)?),
                false => self.target_of_file(&file, to),
            };
            copy_file(&file, &target)?;
            copied += 1;
        }
        match copied {
            0 => bail!("COPY {from}: there is no such file, or .dockerignore keeps it out"),
            _ => Ok(()),
        }
    }

    /// `COPY --from`: out of another stage, owners and times as they are there.
    pub fn copy_stage(&self, other: &Path, from: &str, to: &str) -> Result<()> {
        let source = other.join(from.trim_start_matches('/'));
        let (source, target) = match source.is_dir() {
            true => (source.join("."), self.on_disk(to)),
            false => (source.clone(), self.target_of_file(&source, to)),
        };
        let parent = if source.ends_with(".") { Some(target.as_path()) } else { target.parent() };
        if let Some(folder) = parent {
            std::fs::create_dir_all(folder)?;
        }
        copy_tree(&source, &target)
    }

    fn target_of_file(&self, file: &Path, to: &str) -> PathBuf {
        let target = self.on_disk(to);
        let is_folder = to.ends_with('/') || to.ends_with("/.") || target.is_dir();
        if is_folder { target.join(file.file_name().unwrap_or_default()) } else { target }
    }
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(from, to)
        .and_then(|_| std::fs::metadata(from)?.modified())
        .and_then(|time| std::fs::File::options().append(true).open(to)?.set_modified(time))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// A copy with owners, times and links, as cheap as the file system makes it.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    run_quietly(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(root: &Path) -> Stage {
        let image = Image { folder: Some("/work".into()), ..Image::default() };
        let (name, key, args) = ("s".into(), String::new(), vec![("A".into(), "arg".into())]);
        Stage { name, root: root.into(), key, image, args }
    }

    #[test]
    fn files_land_where_docker_puts_them() {
        let (context, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let put = |name: &str| {
            let file = context.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, name).unwrap();
        };
        ["one", "d/two", "d/out", "d/e/three"].iter().for_each(|name| put(name));
        let first = stage(root.path());
        let copy = |from: &str, to: &str| {
            first.copy_context(context.path(), &Ignore::parse("**/out"), from, to)
        };
        copy("one", "there/").unwrap();
        copy("one", "/named").unwrap();
        copy("d", "d").unwrap();
        let is = |path: &str| root.path().join(path).is_file();
        assert!(is("work/there/one") && is("named") && is("work/d/two") && is("work/d/e/three"));
        assert!(!is("work/d/out"));
        assert!(copy("d/out", "x").unwrap_err().to_string().contains(".dockerignore"));

        let other = Stage { root: root.path().join("other"), ..stage(root.path()) };
        other.copy_stage(root.path(), "/work/d", "/all").unwrap();
        other.copy_stage(root.path(), "/named", "/files/").unwrap();
        assert!(is("other/all/e/three") && is("other/files/named"));
    }

    #[test]
    fn a_variable_of_the_image_hides_an_argument() {
        let mut stage = stage(Path::new("/"));
        assert_eq!(stage.value("A").unwrap(), "arg");
        stage.image.variables.push(("A".into(), "env".into()));
        assert_eq!((stage.value("A").unwrap().as_str(), stage.value("B")), ("env", None));
    }
}
