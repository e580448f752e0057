//! Running a program in a root of its own, as a container would.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a container has for an orderly end, as with `docker stop`.
const GRACE: Duration = Duration::from_secs(10);

/// Mounts what a container has, puts the lent files below `/run`, and becomes the user. All of it in
/// a mount namespace that ends with the program: nothing stays mounted.
const ENTER: &str = r#"
set -e
root=$1 user=$2 groups=$3 folder=$4 lent=$5
shift 5
mount --make-rprivate /
mkdir -p "$root/proc" "$root/dev" "$root/run" "$root/etc" "$root/tmp"
chmod 1777 "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
for file in resolv.conf hosts; do
    [ -e "$root/etc/$file" ] || : > "$root/etc/$file"
    mount --bind "/etc/$file" "$root/etc/$file"
done
printf '%s' "$lent" | while IFS= read -r pair; do
    cp "${pair%%=*}" "$root${pair#*=}"
done
exec chroot --userspec="$user" --groups="$groups" "$root" \
    /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"#;

/// The numbers of a user, from the root's own lists.
#[derive(Debug, PartialEq)]
pub struct User {
    pub id: u32,
    pub group: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

impl User {
    /// Looks up a name or a number; a number that nobody has belongs to the group of root, as in
    /// Docker.
    pub fn find(root: &Path, user: &str) -> Result<User> {
        let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let (users, groups) = (read("etc/passwd"), read("etc/group"));
        let (name, group) = user.split_once(':').map_or((user, None), |(u, g)| (u, Some(g)));
        let line = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = line.into_iter().find(|f| f.len() > 5 && (f[0] == name || f[2] == name));
        let mut user = match &found {
            Some(f) => {
                User { id: f[2].parse()?, group: f[3].parse()?, groups: vec![], home: f[5].into() }
            }
            None => User {
                id: name.parse().with_context(|| format!("there is no user {name:?}"))?,
                group: 0,
                groups: vec![],
                home: "/".into(),
            },
        };
        let name = found.map_or(name, |f| f[0]);
        for f in groups.lines().map(|line| line.split(':').collect::<Vec<_>>()) {
            let [group_name, _, number, members] = f[..] else { continue };
            let number: u32 = number.parse()?;
            if group.is_some_and(|group| group == group_name) {
                user.group = number;
            }
            if members.split(',').any(|member| member == name) {
                user.groups.push(number);
            }
        }
        if let Some(number) = group.and_then(|group| group.parse().ok()) {
            user.group = number;
        }
        user.groups.push(user.group);
        Ok(user)
    }
}

/// What a program finds around it.
pub struct Surroundings<'a> {
    pub root: &'a Path,
    pub user: &'a str,
    pub folder: &'a str,
    pub variables: Vec<(String, String)>,
    pub lent: &'a [(PathBuf, PathBuf)],
}

/// The command that runs `words` there.
pub fn command(around: &Surroundings, words: &[&str]) -> Result<Command> {
    let user = User::find(around.root, around.user)?;
    let groups: Vec<String> = user.groups.iter().map(u32::to_string).collect();
    let lent: String = around
        .lent
        .iter()
        .map(|(file, name)| format!("{}={}\n", file.display(), name.display()))
        .collect();
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--",
        "/bin/sh",
        "-c",
        ENTER,
        "sh",
    ]);
    command.arg(around.root).arg(format!("{}:{}", user.id, user.group)).arg(groups.join(","));
    command.arg(around.folder).arg(lent).args(words);
    command.env_clear().env("HOME", user.home);
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.envs(around.variables.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// Ends a container as `docker stop` does: its first program is asked to end, and killed when it does
/// not; all others end with it.
pub fn stop(container: &mut Child) -> Result<()> {
    let id = container.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    for signal in ["-TERM", "-KILL"] {
        // One that has just ended is no matter: the loop sees it.
        Command::new("kill").arg(signal).args(children.split_whitespace()).status()?;
        let begun = Instant::now();
        while begun.elapsed() < GRACE {
            if container.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    container.kill()?;
    container.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let write = |file: &str, text: &str| std::fs::write(root.path().join(file), text).unwrap();
        write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n");
        write("etc/group", "root:x:0:\nusers:x:100:\nvideo:x:44:bob,ann\n");
        let find = |user: &str| User::find(root.path(), user);
        let ann = find("ann").unwrap();
        assert_eq!((ann.id, ann.group, ann.groups.as_slice()), (1000, 100, &[44, 100][..]));
        assert_eq!((find("1000").unwrap(), ann.home.as_str()), (find("ann").unwrap(), "/home/ann"));
        let stranger = find("4321:users").unwrap();
        assert_eq!((stranger.id, stranger.group, stranger.home.as_str()), (4321, 100, "/"));
        assert!(find("carl").unwrap_err().to_string().contains("no user \"carl\""));
    }
}
