//! Where the files of a set may come from: a bundle, the cache, the network, in this order.

use super::bundle::{self, Bundle, LoadedFile};
use super::cache;
use super::download;
use super::remote_file::RemoteFile;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The places to look in.
pub(crate) struct Locations {
    bundle: Option<Bundle>,
    /// The folder of downloads.
    cache: Option<PathBuf>,
    offline: bool,
}

/// The files of one set.
pub(crate) struct FileSet {
    /// The set's folder, in a bundle and in the cache: `mnist`.
    pub(crate) folder: &'static str,
    /// The set's files. In a bundle `NAME.gz` may also lie there unpacked, as `NAME`.
    pub(crate) files: Vec<RemoteFile>,
}

/// What came of a search.
pub(crate) enum SearchResult {
    /// All files, in the order in which they were wanted, and a sentence on where they were.
    Found(Vec<LoadedFile>, String),
    /// Why no place has them, without a full stop.
    Missing(String),
}

impl Locations {
    /// What the variables say: `TCHALK_DATA_DIR`, `TCHALK_HOME`, `TCHALK_OFFLINE`.
    ///
    /// # Errors
    ///
    /// If `TCHALK_DATA_DIR` names no folder.
    pub(crate) fn from_env() -> Result<Locations> {
        let (bundle, cache) = (Bundle::from_env()?, cache::folder("data"));
        Ok(Locations { bundle, cache, offline: cache::is_offline() })
    }

    /// A bundle alone, or nothing at all.
    #[cfg(test)]
    pub(crate) fn only(bundle: Option<Bundle>) -> Locations {
        Locations { bundle, cache: None, offline: true }
    }

    /// A cache alone.
    #[cfg(test)]
    pub(crate) fn in_cache(folder: &Path) -> Locations {
        Locations { bundle: None, cache: Some(folder.to_owned()), offline: true }
    }

    /// The bundle, where there is one.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        self.bundle.as_ref()
    }

    /// Why the bundle did not serve, without a full stop.
    fn without_bundle(&self, folder: &str) -> String {
        match &self.bundle {
            Some(bundle) => {
                format!(
                    "{} ({}) holds no {folder}",
                    bundle::DATA_DIR_VARIABLE,
                    bundle.folder().display()
                )
            }
            None => format!("{} is not set", bundle::DATA_DIR_VARIABLE),
        }
    }

    /// The files of a set, all from one place.
    ///
    /// # Errors
    ///
    /// If some of the files are in the bundle and others are missing there, if one in the bundle is
    /// damaged, or if the reader presses stop. What the network refuses is no error, but a reason.
    pub(crate) fn find(&self, wanted: &FileSet) -> Result<SearchResult> {
        let (why, folder) = match (self.find_locally(wanted)?, self.cached(wanted)) {
            (SearchResult::Missing(why), Some(folder)) => (why, folder),
            (search, _) => return Ok(search),
        };
        if self.offline {
            let why = format!("{why}, {} forbids the network", cache::OFFLINE_VARIABLE);
            return Ok(SearchResult::Missing(why));
        }
        let mut found = Vec::new();
        for file in &wanted.files {
            match download::fetch(file, &folder) {
                Ok(path) => found.push(read(path, file)?),
                Err(error @ Error::Interrupted { .. }) => return Err(error),
                Err(error) => {
                    return Ok(SearchResult::Missing(format!("{why}, {}", error.short_message())));
                }
            }
        }
        let source = format!(
            "Fetched from {} into {}, {}. ({why}.)",
            wanted.files[0].urls()[0],
            folder.display(),
            checksum_note(wanted),
        );
        Ok(SearchResult::Found(found, source))
    }

    /// The same without the network: in the bundle and in the cache.
    pub(crate) fn find_locally(&self, wanted: &FileSet) -> Result<SearchResult> {
        if let Some(found) = self.in_bundle(wanted)? {
            return Ok(found);
        }
        let why = self.without_bundle(wanted.folder);
        let Some(folder) = self.cached(wanted) else {
            return Ok(SearchResult::Missing(format!("{why}, there is no folder for a cache")));
        };
        match in_cache(wanted, &folder)? {
            Some(found) => {
                let (place, sums) = (folder.display(), checksum_note(wanted));
                let source = format!("Read from the cache, {place}, {sums}. ({why}.)");
                Ok(SearchResult::Found(found, source))
            }
            None => {
                let place = folder.display();
                Ok(SearchResult::Missing(format!("{why}, the cache ({place}) holds no whole copy")))
            }
        }
    }

    fn cached(&self, wanted: &FileSet) -> Option<PathBuf> {
        self.cache_folder(wanted.folder)
    }

    /// A set's folder in the cache.
    pub(crate) fn cache_folder(&self, folder: &str) -> Option<PathBuf> {
        self.cache.as_ref().map(|cache| cache.join(folder))
    }

    fn in_bundle(&self, wanted: &FileSet) -> Result<Option<SearchResult>> {
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
                Ok(Some(SearchResult::Found(found, source)))
            }
        }
    }
}

/// Whether sums of the bundle vouched for its files.
fn verified(files: &[LoadedFile]) -> &'static str {
    if files.iter().all(|found| found.verified) {
        "verified against SHA256SUMS"
    } else {
        "which no sum vouches for"
    }
}

/// What vouches for downloads.
fn checksum_note(wanted: &FileSet) -> String {
    match wanted.files.first().and_then(RemoteFile::checksum_source) {
        Some(voucher) => format!("verified against {voucher}"),
        None => "for which no sum is published".into(),
    }
}

/// The files of a set in the cache; `None` unless all of them are there, undamaged.
fn in_cache(wanted: &FileSet, folder: &Path) -> Result<Option<Vec<LoadedFile>>> {
    let mut found = Vec::new();
    for file in &wanted.files {
        match download::cached(file, folder)? {
            Some(path) => found.push(read(path, file)?),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

fn read(path: PathBuf, source: &RemoteFile) -> Result<LoadedFile> {
    let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error, ""))?;
    Ok(LoadedFile { path, bytes, verified: source.has_checksum() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::checksum::sha256_of;

    fn wanted() -> FileSet {
        let file = |name: &str| {
            let source = RemoteFile::new(name, format!("http://localhost/{name}"));
            source.size(3).sha256(&sha256_of(b"abc"), "the test")
        };
        FileSet { folder: "set", files: vec![file("a.gz"), file("b.gz")] }
    }

    fn places(bundle: Option<&Path>, cache: &Path) -> Locations {
        let bundle = bundle.map(|folder| Bundle::open(folder).unwrap());
        Locations { bundle, cache: Some(cache.to_owned()), offline: true }
    }

    fn put(folder: &Path, names: &[&str]) {
        std::fs::create_dir_all(folder.join("set")).unwrap();
        names.iter().for_each(|name| std::fs::write(folder.join("set").join(name), "abc").unwrap());
    }

    fn sentence(search: SearchResult) -> String {
        match search {
            SearchResult::Found(files, source) => format!("{} found. {source}", files.len()),
            SearchResult::Missing(why) => format!("missing: {why}"),
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
