//! The reader's account at Kaggle, as the official client would find it.
//!
//! It looks, in this order, for a token (`KAGGLE_API_TOKEN`, or the file `access_token` in
//! `~/.kaggle`), for a username with a key (`KAGGLE_USERNAME` and `KAGGLE_KEY`, or `kaggle.json` in
//! `KAGGLE_CONFIG_DIR`, in `~/.kaggle`, or, where that does not exist, in `~/.config/kaggle`), and for
//! what `kaggle auth login` has left (`~/.kaggle/credentials.json`). Keys are read here only to know
//! that they exist, and to remove them from what the client prints.

use super::competition::{RULES_PAGE, SETTINGS_PAGE};
use super::environment::Environment;
use crate::display::{Content, Show};
use crate::table::Table;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An account at Kaggle: its username and where that was found. Never the key.
#[derive(Clone, PartialEq)]
pub struct Credentials {
    found: Option<Found>,
    warnings: Vec<String>,
}

#[derive(Clone, PartialEq)]
struct Found {
    /// The username, where one stands beside the key.
    username: Option<String>,
    /// Where it was found, in words: `the file ~/.kaggle/kaggle.json`.
    source: String,
}

/// The credentials that Kaggle's client would use, from the environment or from its files. On the page
/// they are a username and where it was found, or the steps to get credentials.
///
/// ```
/// use tchalk::prelude::*;
/// let credentials = kaggle::credentials();
/// println!("{credentials:?}"); // never the key
/// ```
pub fn credentials() -> Credentials {
    Credentials::find(&Environment::from_env())
}

impl Credentials {
    pub(super) fn find(environment: &Environment) -> Credentials {
        let mut warnings = Vec::new();
        let found = token(environment, &mut warnings)
            .or_else(|| username_and_key(environment, &mut warnings))
            .or_else(|| login(environment, &mut warnings));
        if Path::new("kaggle.json").is_file() {
            warnings.push(
                "kaggle.json lies in the notebook's folder, where the client does not look and from \
                 where it is easily passed on: move it to ~/.kaggle/"
                    .into(),
            );
        }
        Credentials { found, warnings }
    }

    /// Whether there are any. Whether they are valid, only Kaggle knows.
    pub fn found(&self) -> bool {
        self.found.is_some()
    }

    /// The username, where it stands beside the key. A token tells it only to Kaggle.
    pub fn username(&self) -> Option<String> {
        self.found.as_ref()?.username.clone()
    }

    /// Where they were found, in words; empty if nowhere.
    pub fn source(&self) -> String {
        self.found.as_ref().map_or(String::new(), |found| found.source.clone())
    }

    /// What is odd about them: a file that others may read, half of a pair.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}

/// How to get credentials, a step a line.
pub(super) fn steps() -> String {
    format!(
        "1. Make an account at https://www.kaggle.com and accept the competition's rules: \
         {RULES_PAGE}\n\
         2. Make a token at {SETTINGS_PAGE} (your picture, Settings, API).\n\
         3. A downloaded kaggle.json goes to ~/.kaggle/kaggle.json; a token that is only shown goes \
         into the file ~/.kaggle/access_token. Then in a terminal: chmod 600 and the file's name.\n\
         4. Run the cell again. Never write a key into a notebook."
    )
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.found {
            Some(Found { username: Some(username), source }) => {
                write!(f, "{username} at Kaggle, from {source}")?
            }
            Some(Found { username: None, source }) => {
                write!(f, "a token for Kaggle, from {source}")?
            }
            None => write!(
                f,
                "No credentials for Kaggle. The notebook goes on without; to take part:\n{}",
                steps()
            )?,
        }
        self.warnings.iter().try_for_each(|warning| write!(f, "\n! {warning}"))
    }
}

impl Show for Credentials {
    fn content(&self) -> Content {
        let text = format!("{self:?}");
        let mut lines = text.lines().map(str::to_owned);
        let first = lines.next().unwrap_or_default();
        let table = Table::new([first.as_str()]).rows(lines.map(|line| [line]));
        table.content_or(text)
    }
}

/// The folder `.kaggle` in the home folder.
fn dot_kaggle(environment: &Environment) -> Option<PathBuf> {
    Some(environment.home()?.join(".kaggle"))
}

/// The path of kaggle.json, whether it exists or not.
fn key_file(environment: &Environment) -> Option<PathBuf> {
    let folder = match environment.get("KAGGLE_CONFIG_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let usual = dot_kaggle(environment)?;
            match cfg!(target_os = "linux") && !usual.exists() {
                true => match environment.get("XDG_CONFIG_HOME") {
                    Some(config) => PathBuf::from(config).join("kaggle"),
                    None => environment.home()?.join(".config/kaggle"),
                },
                false => usual,
            }
        }
    };
    Some(folder.join("kaggle.json"))
}

fn token(environment: &Environment, warnings: &mut Vec<String>) -> Option<Found> {
    let found = |source: String| Some(Found { username: None, source });
    if let Some(token) = environment.get("KAGGLE_API_TOKEN") {
        // It may also name a file.
        let path = Path::new(token);
        if path.is_file() {
            others_may_read(path, warnings);
            return found(format!("the file that KAGGLE_API_TOKEN names ({})", path.display()));
        }
        return found("the variable KAGGLE_API_TOKEN".into());
    }
    let path = token_file(environment)?;
    others_may_read(&path, warnings);
    found(format!("the file {}", path.display()))
}

fn token_file(environment: &Environment) -> Option<PathBuf> {
    let folder = dot_kaggle(environment)?;
    let paths = ["access_token", "access_token.txt"].map(|name| folder.join(name));
    paths.into_iter().find(|path| text_of(path).is_some())
}

/// The text of a small file, unless it is empty.
fn text_of(path: &Path) -> Option<String> {
    let size = std::fs::metadata(path).ok()?.len();
    let text = (size < 1 << 20).then(|| std::fs::read_to_string(path).ok()).flatten()?;
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn username_and_key(environment: &Environment, warnings: &mut Vec<String>) -> Option<Found> {
    let (username, key) = (environment.text("KAGGLE_USERNAME"), environment.get("KAGGLE_KEY"));
    let path = key_file(environment).filter(|path| path.is_file());
    let (file_name, file_key) = match &path {
        Some(path) => pair_of(path, warnings),
        None => (None, None),
    };
    if let Some(path) = path.as_ref().filter(|_| file_key.is_some()) {
        others_may_read(path, warnings);
    }
    match (username, key) {
        (username @ Some(_), Some(_)) => {
            let source = "the variables KAGGLE_USERNAME and KAGGLE_KEY".into();
            return Some(Found { username, source });
        }
        (Some(_), None) if file_key.is_none() => {
            warnings.push("KAGGLE_USERNAME is set without KAGGLE_KEY: both are needed".into());
        }
        (None, Some(_)) if file_name.is_none() => {
            warnings.push("KAGGLE_KEY is set without KAGGLE_USERNAME: both are needed".into());
        }
        (username @ Some(_), None) => {
            // The client takes each from where it finds it, the environment first.
            let source = format!("KAGGLE_USERNAME, with the key in {}", path?.display());
            return Some(Found { username, source });
        }
        _ => {}
    }
    match (file_name, file_key) {
        (username @ Some(_), Some(_)) => {
            Some(Found { username, source: format!("the file {}", path?.display()) })
        }
        _ => None,
    }
}

/// Username and key in kaggle.json.
fn pair_of(path: &Path, warnings: &mut Vec<String>) -> (Option<String>, Option<String>) {
    let json = text_of(path).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let field = |name: &str| {
        let text = json.as_ref()?.get(name)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let pair = (field("username"), field("key"));
    if pair.0.is_none() || pair.1.is_none() {
        warnings.push(format!(
            "{} does not hold {{\"username\": …, \"key\": …}}: download it again at {SETTINGS_PAGE}, \
             or put a token that begins with KGAT_ into the file access_token beside it",
            path.display()
        ));
    }
    pair
}

fn login(environment: &Environment, warnings: &mut Vec<String>) -> Option<Found> {
    let path = dot_kaggle(environment)?.join("credentials.json");
    let json: Value = serde_json::from_str(&text_of(&path)?).ok()?;
    others_may_read(&path, warnings);
    let username = json.get("username").and_then(Value::as_str).map(str::to_owned);
    Some(Found { username, source: format!("the login in {}", path.display()) })
}

/// Warns of a file that other users may read.
fn others_may_read(path: &Path, warnings: &mut Vec<String>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_or(0, |data| data.permissions().mode());
        if mode & 0o044 != 0 {
            warnings.push(format!(
                "others on this machine may read {0}: chmod 600 {0}",
                path.display()
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, warnings);
}

/// Everything that must be removed from what the client prints.
pub(super) fn secrets(environment: &Environment) -> Vec<String> {
    let mut secrets = Vec::new();
    secrets.extend(environment.text("KAGGLE_KEY"));
    if let Some(token) = environment.text("KAGGLE_API_TOKEN") {
        secrets.extend(text_of(Path::new(&token)));
        secrets.push(token);
    }
    secrets.extend(token_file(environment).and_then(|path| text_of(&path)));
    let files = [
        key_file(environment),
        dot_kaggle(environment).map(|folder| folder.join("kaggle.json")),
        dot_kaggle(environment).map(|folder| folder.join("credentials.json")),
    ];
    let mut names: Vec<String> = environment.text("KAGGLE_USERNAME").into_iter().collect();
    for path in files.into_iter().flatten() {
        let Some(Value::Object(fields)) =
            text_of(&path).and_then(|text| serde_json::from_str(&text).ok())
        else {
            continue;
        };
        for (name, value) in fields {
            match (name.as_str(), value.as_str()) {
                ("username", Some(value)) => names.push(value.to_owned()),
                ("key", Some(value)) => secrets.push(value.to_owned()),
                (name, Some(value)) if name.contains("token") => secrets.push(value.to_owned()),
                _ => {}
            }
        }
    }
    // As they are sent to the server.
    let pairs: Vec<String> = names
        .iter()
        .flat_map(|name| secrets.iter().map(move |key| STANDARD.encode(format!("{name}:{key}"))))
        .collect();
    secrets.extend(pairs);
    secrets.retain(|secret| secret.len() >= 4);
    // The longest first: one may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

#[cfg(all(test, unix))]
mod tests;
