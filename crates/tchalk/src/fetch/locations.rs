//! Searches the bundle, the cache and the network, in this order, for the files of a set.

use super::bundle::{self, Bundle, LoadedFile};
use super::cache;
use super::download;
use super::remote_file::RemoteFile;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The locations to search.
pub(crate) struct Locations {
    bundle: Option<Bundle>,
    /// The folder of downloads.
    cache: Option<PathBuf>,
    offline: bool,
}

/// The files of one data set.
pub(crate) struct FileSet {
    /// The folder of the set, in a bundle and in the cache: `mnist`.
    pub(crate) folder: &'static str,
    /// The files of the set. In a bundle `NAME.gz` may also be there decompressed, as `NAME`.
    pub(crate) files: Vec<RemoteFile>,
}

/// The result of a search.
pub(crate) enum SearchResult {
    /// All files, in the order of the set, and a sentence that says where they were found.
    Found(Vec<LoadedFile>, String),
    /// Why no location has them, without a full stop.
    Missing(String),
}

impl Locations {
    /// The locations that `TCHALK_DATA_DIR`, `TCHALK_HOME` and `TCHALK_OFFLINE` name.
    ///
    /// # Errors
    ///
    /// If `TCHALK_DATA_DIR` names no folder.
    pub(crate) fn from_env() -> Result<Locations> {
        let (bundle, cache) = (Bundle::from_env()?, cache::folder("data"));
        Ok(Locations { bundle, cache, offline: cache::is_offline() })
    }

    /// Only a bundle, or nothing.
    #[cfg(test)]
    pub(crate) fn only(bundle: Option<Bundle>) -> Locations {
        Locations { bundle, cache: None, offline: true }
    }

    /// Only a cache.
    #[cfg(test)]
    pub(crate) fn in_cache(folder: &Path) -> Locations {
        Locations { bundle: None, cache: Some(folder.to_owned()), offline: true }
    }

    /// The bundle, if there is one.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        self.bundle.as_ref()
    }

    /// Why the files are not in the bundle, without a full stop.
    fn without_bundle(&self, folder: &str) -> String {
        match &self.bundle {
            Some(bundle) => {
                format!(
                    "{} ({}) has no {folder}",
                    bundle::DATA_DIR_VARIABLE,
                    bundle.folder().display()
                )
            }
            None => format!("{} is not set", bundle::DATA_DIR_VARIABLE),
        }
    }

    /// The files of a set, all from one location.
    ///
    /// # Errors
    ///
    /// If some of the files are in the bundle and others are missing there, if one in the bundle is
    /// damaged, or after an interrupt. A failed download is no error: it becomes the reason of
    /// [`SearchResult::Missing`].
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
            "Downloaded from {} into {}, {}. ({why}.)",
            wanted.files[0].urls()[0],
            folder.display(),
            checksum_note(wanted),
        );
        Ok(SearchResult::Found(found, source))
    }

    /// The same without the network.
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
                let (shown, sums) = (folder.display(), checksum_note(wanted));
                let source = format!("Read from the cache, {shown}, {sums}. ({why}.)");
                Ok(SearchResult::Found(found, source))
            }
            None => {
                let shown = folder.display();
                Ok(SearchResult::Missing(format!(
                    "{why}, the cache ({shown}) has no complete copy"
                )))
            }
        }
    }

    fn cached(&self, wanted: &FileSet) -> Option<PathBuf> {
        self.cache_folder(wanted.folder)
    }

    /// The folder of a set in the cache.
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

/// Whether the checksums of the bundle verified its files.
fn verified(files: &[LoadedFile]) -> &'static str {
    if files.iter().all(|found| found.verified) {
        "verified against SHA256SUMS"
    } else {
        "which no checksum verifies"
    }
}

/// Which checksums verify a download.
fn checksum_note(wanted: &FileSet) -> String {
    match wanted.files.first().and_then(RemoteFile::checksum_source) {
        Some(voucher) => format!("verified against {voucher}"),
        None => "for which no checksum is published".into(),
    }
}

/// The files of a set in the cache; `None` unless all of them are there and undamaged.
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

    fn locations(bundle: Option<&Path>, cache: &Path) -> Locations {
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
    fn the_bundle_comes_before_the_cache_and_the_source_says_why() {
        let (bundle, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let find = || locations(Some(bundle.path()), cache.path()).find(&wanted());
        let text = sentence(find().unwrap());
        assert!(text.contains("has no set, the cache (") && text.contains("OFFLINE"), "{text}");
        put(cache.path(), &["a.gz", "b.gz"]);
        let text = sentence(find().unwrap());
        assert!(text.starts_with("2 found. Read from the cache, "), "{text}");
        assert!(text.contains("verified against the SHA-256 that the test publishes"), "{text}");
        assert!(text.contains("TCHALK_DATA_DIR (") && text.contains("has no set"), "{text}");
        put(bundle.path(), &["a", "b.gz"]);
        let text = sentence(find().unwrap());
        assert!(text.contains("Read from") && text.contains("no checksum verifies"), "{text}");
        let text = sentence(locations(None, cache.path()).find(&wanted()).unwrap());
        assert!(text.contains("TCHALK_DATA_DIR is not set"), "{text}");
    }

    #[test]
    fn half_a_set_is_an_error_in_a_bundle_and_not_enough_in_the_cache() {
        let (bundle, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(cache.path(), &["a.gz"]);
        let text = sentence(locations(None, cache.path()).find(&wanted()).unwrap());
        assert!(text.starts_with("missing"), "{text}");
        put(bundle.path(), &["a.gz"]);
        let error = locations(Some(bundle.path()), cache.path()).find(&wanted()).err().unwrap();
        assert!(error.to_string().contains("neither set/b nor set/b.gz"), "{error}");
    }
}
