//! Finds the file of a network's weights: in the bundle, in the cache, or by download.

use super::safetensors_subset;
use super::weight_file::WeightFile;
use super::weights::{BasePrefix, PublishedFile, published};
use crate::error::{Error, Result};
use crate::fetch::bundle::{Bundle, DATA_DIR_VARIABLE};
use crate::fetch::checksum::sha256_of;
use crate::fetch::remote_file::RemoteFile;
use crate::fetch::{cache, download};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The file at `path`, or the file of that name in the bundle's folder `weights`.
///
/// # Errors
///
/// If there is no such file.
pub(super) fn find_file(op: &str, path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let plain = path.parent().is_none_or(|parent| parent.as_os_str().is_empty());
    if let (true, Some(bundle)) = (plain, Bundle::from_env()?) {
        let inside = bundle.folder().join("weights").join(path);
        if inside.is_file() {
            return verified(&bundle, inside);
        }
    }
    let hint =
        format!("A file name without a folder is also searched in {DATA_DIR_VARIABLE}/weights.");
    Err(Error::invalid(op, "an existing file of weights", format!("{}", path.display()), hint))
}

/// The result of a search.
pub(super) enum Lookup {
    /// The file.
    Found(PathBuf),
    /// Why it was not found.
    Missing(Error),
}

/// A file with these tensors for the network `name`, which `op` builds.
///
/// # Errors
///
/// If the bundle has a damaged file, or the reader interrupts.
pub(super) fn find_imagenet_weights(op: &str, name: &str, tensors: &[String]) -> Result<Lookup> {
    let published = published(name).expect("every network but the built-in has a published file");
    if let Some(path) = in_bundle(name, published, tensors)? {
        return Ok(Lookup::Found(path));
    }
    match cached_or_downloaded(op, name, published, tensors) {
        Ok(path) => Ok(Lookup::Found(path)),
        Err(error @ Error::Interrupted { .. }) => Err(error),
        Err(error) => Ok(Lookup::Missing(error)),
    }
}

/// A file with these tensors from the cache, or downloaded.
fn cached_or_downloaded(
    op: &str,
    name: &str,
    published: &PublishedFile,
    tensors: &[String],
) -> Result<PathBuf> {
    let Some(folder) = cache::folder("weights") else {
        let hint = format!("Set {} to a folder for downloads.", cache::HOME_VARIABLE);
        return Err(Error::invalid(op, "a folder for downloads", "none", hint));
    };
    let source = source(published);
    if let Some(path) = download::cached(&source, &folder)? {
        return Ok(path);
    }
    let base = published.base.as_ref().filter(|_| {
        let top = |name: &String| !name.starts_with("features.");
        !tensors.iter().any(top)
    });
    let found = match base {
        Some(base) => download_base(name, base, tensors, &folder),
        None => download::fetch(&source, &folder),
    };
    found.map_err(|error| with_offline_hint(error, published))
}

/// Adds to a failed download what can be done without the internet.
fn with_offline_hint(error: Error, published: &PublishedFile) -> Error {
    match error {
        Error::Download { file, problem, hint } => {
            let advice = format!(
                "Without the internet: put {} into the folder weights of {DATA_DIR_VARIABLE}, or build with \
                 {}.",
                published.file,
                alternative(published)
            );
            let hint = if hint.is_empty() { advice } else { format!("{hint}\n{advice}") };
            Error::Download { file, problem, hint }
        }
        other => other,
    }
}

/// What can be built without these weights.
fn alternative(published: &PublishedFile) -> &'static str {
    match published.file.starts_with("vgg16") {
        true => "or_built_in() (without its top), or weights(Weights::Random)",
        false => "weights(Weights::Random)",
    }
}

fn source(published: &PublishedFile) -> RemoteFile {
    let mut source = RemoteFile::new(published.file, published.url());
    if let Some(size) = published.size {
        source = source.size(size);
    }
    match published.sha256 {
        Some(sum) => source.sha256(sum, "torchvision's users' lists"),
        None => source.sha256_prefix(published.sha256_prefix(), "the file's own name"),
    }
}

/// A file with the tensors in the bundle's folder `weights`: the official one, or one whose name begins with
/// the network's name.
fn in_bundle(name: &str, published: &PublishedFile, tensors: &[String]) -> Result<Option<PathBuf>> {
    let Some(bundle) = Bundle::from_env()? else { return Ok(None) };
    let folder = bundle.folder().join("weights");
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(None) };
    let mut files: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| file.starts_with(name) && !file.ends_with(".json"))
        .collect();
    files.sort_by_key(|file| (file != published.file, file.clone()));
    for file in files {
        let path = folder.join(&file);
        let open = WeightFile::open(&path)?;
        if tensors.iter().all(|tensor| open.shape(tensor).is_some()) {
            return verified(&bundle, path).map(Some);
        }
    }
    Ok(None)
}

/// A file of the bundle, once its checksum is right, if the bundle lists one.
fn verified(bundle: &Bundle, path: PathBuf) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    bundle.check_file(&format!("weights/{name}"), &path)?;
    Ok(path)
}

/// Downloads the base of a network alone and keeps it as a separate file.
fn download_base(
    name: &str,
    base: &BasePrefix,
    tensors: &[String],
    folder: &Path,
) -> Result<PathBuf> {
    let kept = RemoteFile::new(format!("{name}-base.safetensors"), base.url);
    if let Some(path) = download::cached(&kept, folder)? {
        return Ok(path);
    }
    let remote = RemoteFile::new(format!("{name} without its top"), base.url);
    let get = |range: Range<u64>| download::fetch_range(&remote, range);
    let bytes = extract_base(base, tensors, get)?;
    download::store(&kept, folder, &bytes)
}

/// A file of these tensors from the beginning of a larger file.
fn extract_base(
    base: &BasePrefix,
    tensors: &[String],
    get: impl Fn(Range<u64>) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let wrong = |problem: String| {
        Error::download(base.url, format!("the download is not the file: {problem}"), "")
    };
    // One request: the beginning has the header and the base, and one checksum covers both.
    let bytes = get(0..base.bytes)?;
    let sum = sha256_of(&bytes);
    if bytes.len() as u64 != base.bytes || sum != base.sha256 {
        let count = bytes.len();
        return Err(wrong(format!("{count} bytes with the SHA-256 {sum}, not {}", base.sha256)));
    }
    let notes = [("from", base.url), ("sha256", base.sha256)];
    safetensors_subset::extract(&bytes, tensors, &notes).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::download::server::{Response, Server};

    /// Two tensors of the base, followed by one of the top.
    fn file() -> Vec<u8> {
        let header = r#"{"features.0.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#
            .to_owned()
            + r#""features.0.weight":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"#
            + r#""head.fc.weight":{"dtype":"F32","shape":[100],"data_offsets":[12,412]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend((0..103).flat_map(|i| (i as f32).to_le_bytes()));
        bytes
    }

    fn names() -> Vec<String> {
        ["features.0.weight", "features.0.bias"].map(String::from).to_vec()
    }

    fn base(address: String, bytes: &[u8]) -> BasePrefix {
        let part = &bytes[..bytes.len() - 400];
        let (address, sha256) = (address.leak(), sha256_of(part).leak());
        BasePrefix { url: address, bytes: part.len() as u64, sha256 }
    }

    #[test]
    fn the_base_is_downloaded_alone_and_kept() {
        let bytes = file();
        let file = bytes.clone();
        let server = Server::start(move |request| Response::rest(&file, request));
        let base = base(server.address("model.safetensors"), &bytes);
        let folder = tempfile::tempdir().unwrap();
        let path = download_base("net", &base, &names(), folder.path()).unwrap();
        let mut open = WeightFile::open(&path).unwrap();
        assert_eq!(open.shape("features.0.bias"), Some(vec![1]));
        assert_eq!(open.shape("head.fc.weight"), None);
        let weight = open.read("features.0.weight").unwrap();
        assert_eq!(weight, tch::Tensor::from_slice(&[1f32, 2.0]));
        assert!(std::fs::metadata(&path).unwrap().len() < 600);
        // The second time nothing is downloaded, and a damaged file is noticed.
        let away = BasePrefix { url: "http://127.0.0.1:9/none", ..base };
        assert_eq!(download_base("net", &away, &names(), folder.path()).unwrap(), path);
        let mut damaged = std::fs::read(&path).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let kept = RemoteFile::new("net-base.safetensors", "");
        assert_eq!(download::cached(&kept, folder.path()).unwrap(), None);
    }

    #[test]
    fn another_file_is_refused() {
        let bytes = file();
        let base = base("a".into(), &bytes);
        let get = |range: Range<u64>| Ok(bytes[range.start as usize..range.end as usize].to_vec());
        assert!(extract_base(&base, &names(), get).is_ok());
        let top = ["head.fc.weight".to_owned()];
        let error = extract_base(&base, &top, get).unwrap_err().to_string();
        assert!(error.contains("lie after it"), "{error}");
        let other = |range: Range<u64>| Ok(vec![7; (range.end - range.start) as usize]);
        let error = extract_base(&base, &names(), other).unwrap_err().to_string();
        assert!(error.contains("is not the file") && error.contains(base.sha256), "{error}");
    }
}
