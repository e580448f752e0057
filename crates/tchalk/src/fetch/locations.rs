//! Where the files of a set may come from: a bundle, the cache, the network, in this order.

use super::bundle::{self, Bundle, Found};
use super::cache;
use super::download;
use super::remote_file::Source;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The places to look in.
pub(crate) struct Places {
    bundle: Option<Bundle>,
    /// The folder of downloads.
    cache: Option<PathBuf>,
    offline: bool,
}

/// The files of one set.
pub(crate) struct Wanted {
    /// The set's folder, in a bundle and in the cache: `mnist`.
    pub(crate) folder: &'static str,
    /// The set's files. In a bundle `NAME.gz` may also lie there unpacked, as `NAME`.
    pub(crate) files: Vec<Source>,
}

/// What came of a search.
pub(crate) enum Search {
    /// All files, in the order in which they were wanted, and a sentence on where they were.
    Found(Vec<Found>, String),
    /// Why no place has them, without a full stop.
    Missing(String),
}

impl Places {
    /// What the variables say: `TCHALK_DATA_DIR`, `TCHALK_HOME`, `TCHALK_OFFLINE`.
    ///
    /// # Errors
    ///
    /// If `TCHALK_DATA_DIR` names no folder.
    pub(crate) fn from_env() -> Result<Places> {
        let (bundle, cache) = (Bundle::from_env()?, cache::folder("data"));
        Ok(Places { bundle, cache, offline: cache::is_offline() })
    }

    /// A bundle alone, or nothing at all.
    #[cfg(test)]
    pub(crate) fn only(bundle: Option<Bundle>) -> Places {
        Places { bundle, cache: None, offline: true }
    }

    /// A cache alone.
    #[cfg(test)]
    pub(crate) fn in_cache(folder: &Path) -> Places {
        Places { bundle: None, cache: Some(folder.to_owned()), offline: true }
    }

    /// The bundle, where there is one.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        self.bundle.as_ref()
    }

    /// Why the bundle did not serve, without a full stop.
    fn without_bundle(&self, folder: &str) -> String {
        match &self.bundle {
            Some(bundle) => {
                format!("{} ({}) holds no {folder}", bundle::VARIABLE, bundle.folder().display())
            }
            None => format!("{} is not set", bundle::VARIABLE),
        }
    }

    /// The files of a set, all from one place.
    ///
    /// # Errors
    ///
    /// If some of the files are in the bundle and others are missing there, if one in the bundle is
    /// damaged, or if the reader presses stop. What the network refuses is no error, but a reason.
    pub(crate) fn find(&self, wanted: &Wanted) -> Result<Search> {
        let (why, folder) = match (self.look(wanted)?, self.cached(wanted)) {
            (Search::Missing(why), Some(folder)) => (why, folder),
            (search, _) => return Ok(search),
        };
        if self.offline {
            let why = format!("{why}, {} forbids the network", cache::OFFLINE);
            return Ok(Search::Missing(why));
        }
        let mut found = Vec::new();
        for file in &wanted.files {
            match download::fetch(file, &folder) {
                Ok(path) => found.push(read(path, file)?),
                Err(error @ Error::Interrupted { .. }) => return Err(error),
                Err(error) => {
                    return Ok(Search::Missing(format!("{why}, {}", error.in_short())));
                }
            }
        }
        let source = format!(
            "Fetched from {} into {}, {}. ({why}.)",
            wanted.files[0].addresses()[0],
            folder.display(),
            vouched(wanted),
        );
        Ok(Search::Found(found, source))
    }

    /// The same without the network: in the bundle and in the cache.
    pub(crate) fn look(&self, wanted: &Wanted) -> Result<Search> {
        if let Some(found) = self.in_bundle(wanted)? {
            return Ok(found);
        }
        let why = self.without_bundle(wanted.folder);
        let Some(folder) = self.cached(wanted) else {
            return Ok(Search::Missing(format!("{why}, there is no folder for a cache")));
        };
        match in_cache(wanted, &folder)? {
            Some(found) => {
                let (place, sums) = (folder.display(), vouched(wanted));
                let source = format!("Read from the cache, {place}, {sums}. ({why}.)");
                Ok(Search::Found(found, source))
            }
            None => {
                let place = folder.display();
                Ok(Search::Missing(format!("{why}, the cache ({place}) holds no whole copy")))
            }
        }
    }

    fn cached(&self, wanted: &Wanted) -> Option<PathBuf> {
        self.cache_of(wanted.folder)
    }

    /// A set's folder in the cache.
    pub(crate) fn cache_of(&self, folder: &str) -> Option<PathBuf> {
        self.cache.as_ref().map(|cache| cache.join(folder))
    }

    fn in_bundle(&self, wanted: &Wanted) -> Result<Option<Search>> {
        let Some(bundle) = &self.bundle else { return Ok(None) };
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for file in &wanted.files {
            let name = format!("{}/{}", wanted.folder, file.name());
            let unpacked = name.strip_suffix(".gz").filter(|rest| !rest.ends_with(".tar"));
            let names: Vec<&str> = unpacked.into_iter().chain([name.as_str()]).collect();
            match bundle.read(&names)? {
                Some(file) => found.push(file),
                None if names.len() == 1 => missing.push(format!("no {name}")),
                None => missing.push(format!("neither {}", names.join(" nor "))),
            }
        }
        match missing.first() {
            Some(_) if found.is_empty() => Ok(None),
            Some(first) => {
                let problem = format!("there is {first}");
                let hint = format!("Put all files of the set into {}.", wanted.folder);
                Err(Error::bad_file(bundle.folder(), problem, hint))
            }
            None => {
                let folder = bundle.folder().join(wanted.folder);
                let source = format!("Read from {}, {}.", folder.display(), verified(&found));
                Ok(Some(Search::Found(found, source)))
            }
        }
    }
}

/// Whether sums of the bundle vouched for its files.
fn verified(files: &[Found]) -> &'static str {
    if files.iter().all(|found| found.verified) {
        "verified against SHA256SUMS"
    } else {
        "which no sum vouches for"
    }
}

/// What vouches for downloads.
fn vouched(wanted: &Wanted) -> String {
    match wanted.files.first().and_then(Source::voucher) {
        Some(voucher) => format!("verified against {voucher}"),
        None => "for which no sum is published".into(),
    }
}

/// The files of a set in the cache; `None` unless all of them are there, undamaged.
fn in_cache(wanted: &Wanted, folder: &Path) -> Result<Option<Vec<Found>>> {
    let mut found = Vec::new();
    for file in &wanted.files {
        match download::kept(file, folder)? {
            Some(path) => found.push(read(path, file)?),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

fn read(path: PathBuf, source: &Source) -> Result<Found> {
    let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error, ""))?;
    Ok(Found { path, bytes, verified: source.has_sum() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::checksum::sha256_of;

    fn wanted() -> Wanted {
        let file = |name: &str| {
            let source = Source::new(name, format!("http://localhost/{name}"));
            source.size(3).sha256(&sha256_of(b"abc"), "the test")
        };
        Wanted { folder: "set", files: vec![file("a.gz"), file("b.gz")] }
    }

    fn places(bundle: Option<&Path>, cache: &Path) -> Places {
        let bundle = bundle.map(|folder| Bundle::open(folder).unwrap());
        Places { bundle, cache: Some(cache.to_owned()), offline: true }
    }

    fn put(folder: &Path, names: &[&str]) {
        std::fs::create_dir_all(folder.join("set")).unwrap();
        names.iter().for_each(|name| std::fs::write(folder.join("set").join(name), "abc").unwrap());
    }

    fn sentence(search: Search) -> String {
        match search {
            Search::Found(files, source) => format!("{} found. {source}", files.len()),
            Search::Missing(why) => format!("missing: {why}"),
        }
    }

    #[test]
    fn bundle_then_cache_and_each_says_why_the_others_did_not_serve() {
        let (bundle, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let find = || places(Some(bundle.path()), cache.path()).find(&wanted());
        let text = sentence(find().unwrap());
        assert!(text.contains("holds no set, the cache (") && text.contains("OFFLINE"), "{text}");
        put(cache.path(), &["a.gz", "b.gz"]);
        let text = sentence(find().unwrap());
        assert!(text.starts_with("2 found. Read from the cache, "), "{text}");
        assert!(text.contains("verified against the SHA-256 that the test publishes"), "{text}");
        assert!(text.contains("TCHALK_DATA_DIR (") && text.contains("holds no set"), "{text}");
        put(bundle.path(), &["a", "b.gz"]);
        let text = sentence(find().unwrap());
        assert!(text.contains("Read from") && text.contains("no sum vouches"), "{text}");
        let text = sentence(places(None, cache.path()).find(&wanted()).unwrap());
        assert!(text.contains("TCHALK_DATA_DIR is not set"), "{text}");
    }

    #[test]
    fn half_a_set_in_a_bundle_is_an_error_and_in_the_cache_not_enough() {
        let (bundle, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(cache.path(), &["a.gz"]);
        let text = sentence(places(None, cache.path()).find(&wanted()).unwrap());
        assert!(text.starts_with("missing"), "{text}");
        put(bundle.path(), &["a.gz"]);
        let error = places(Some(bundle.path()), cache.path()).find(&wanted()).err().unwrap();
        assert!(error.to_string().contains("neither set/b nor set/b.gz"), "{error}");
    }
}
