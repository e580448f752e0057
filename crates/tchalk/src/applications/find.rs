//! Finding the file that holds a network's weights: in the bundle, in the cache, on the network.

use super::subset::{self, Header};
use super::tensor_file::TensorFile;
use super::weights::{Base, Published, published};
use crate::data::bundle::{Bundle, VARIABLE};
use crate::data::source::{Source, sha256_of, sha256_of_file};
use crate::data::{cache, download};
use crate::error::{Error, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The file at `path`, or of that name in the bundle's folder `weights`.
///
/// # Errors
///
/// If there is no such file.
pub(super) fn given(op: &str, path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let plain = path.parent().is_none_or(|parent| parent.as_os_str().is_empty());
    if let (true, Some(bundle)) = (plain, Bundle::from_env()?) {
        let inside = bundle.folder().join("weights").join(path);
        if inside.is_file() {
            return vouched(&bundle, inside);
        }
    }
    let hint = format!("A name without a folder is also looked for in {VARIABLE}/weights.");
    Err(Error::invalid(op, "an existing file of weights", format!("{}", path.display()), hint))
}

/// A file with these tensors for the network `name`, which `op` builds.
///
/// # Errors
///
/// If no place has one.
pub(super) fn imagenet(op: &str, name: &str, tensors: &[String]) -> Result<PathBuf> {
    let published = published(name).expect("every network has a published file");
    if let Some(path) = in_bundle(name, published, tensors)? {
        return Ok(path);
    }
    let Some(folder) = cache::folder("weights") else {
        let hint = format!("Set {} to a folder for downloads.", cache::HOME);
        return Err(Error::invalid(op, "a folder for downloads", "none", hint));
    };
    let source = source(published);
    if let Some(path) = download::kept(&source, &folder)? {
        return Ok(path);
    }
    let base = published.base.as_ref().filter(|_| {
        let top = |name: &String| !name.starts_with("features.");
        !tensors.iter().any(top)
    });
    let found = match base {
        Some(base) => fetch_base(name, base, tensors, &folder),
        None => download::fetch(&source, &folder),
    };
    let path = found.map_err(|error| advised(error, published))?;
    if base.is_none() && published.sha256.is_none() {
        check_digits(published, &path)?;
    }
    Ok(path)
}

/// What can be done without the network, added to what it said.
fn advised(error: Error, published: &Published) -> Error {
    match error {
        Error::Download { file, problem, hint } => {
            let advice = format!(
                "Without a network: put {} into the folder weights of {VARIABLE}, or build with \
                 weights(Weights::Random).",
                published.file
            );
            let hint = if hint.is_empty() { advice } else { format!("{hint}\n{advice}") };
            Error::Download { file, problem, hint }
        }
        other => other,
    }
}

fn source(published: &Published) -> Source {
    let mut source = Source::new(published.file, published.address());
    if let Some(size) = published.size {
        source = source.size(size);
    }
    if let Some(sum) = published.sha256 {
        source = source.sha256(sum, "torchvision's users' lists");
    }
    source
}

/// The digits in the file's name, for files whose whole sum nobody published.
fn check_digits(published: &Published, path: &Path) -> Result<()> {
    let sum = sha256_of_file(path)?;
    if sum.starts_with(published.digits()) {
        return Ok(());
    }
    let _ = std::fs::remove_file(path);
    let problem = format!("its SHA-256 is {sum}, and its name promises {}…", published.digits());
    Err(Error::bad_file(path, problem, "It has been removed: run this again."))
}

/// The file of the bundle's folder `weights` that holds the tensors: the official one, or one whose
/// name begins with the network's.
fn in_bundle(name: &str, published: &Published, tensors: &[String]) -> Result<Option<PathBuf>> {
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
        let open = TensorFile::open(&path)?;
        if tensors.iter().all(|tensor| open.shapes().contains_key(tensor)) {
            return vouched(&bundle, path).map(Some);
        }
    }
    Ok(None)
}

/// A file of the bundle, once its sum is right, where one is listed.
fn vouched(bundle: &Bundle, path: PathBuf) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    bundle.check_file(&format!("weights/{name}"), &path)?;
    Ok(path)
}

/// Fetches the base of a network alone and keeps it as a file of its own.
fn fetch_base(name: &str, base: &Base, tensors: &[String], folder: &Path) -> Result<PathBuf> {
    let kept = Source::new(format!("{name}-base.safetensors"), base.address);
    if let Some(path) = download::kept(&kept, folder)? {
        return Ok(path);
    }
    let remote = Source::new(format!("{name} without its top"), base.address);
    let get = |range: Range<u64>| download::fetch_range(&remote, range);
    let bytes = base_file(base, tensors, get)?;
    let path = folder.join(kept.name());
    let io = |error| Error::io(&path, error, "Is there room on the disk?");
    std::fs::create_dir_all(folder).map_err(io)?;
    // The sum of the first time, which later readings are compared with.
    let sum = format!("{}  {}\n", sha256_of(&bytes), kept.name());
    std::fs::write(path.with_extension("safetensors.sha256"), sum).map_err(io)?;
    let partial = path.with_extension("safetensors.part");
    std::fs::write(&partial, &bytes).map_err(io)?;
    std::fs::rename(&partial, &path).map_err(io)?;
    Ok(path)
}

/// A file of these tensors, out of the beginning of a larger one.
fn base_file(
    base: &Base,
    tensors: &[String],
    get: impl Fn(Range<u64>) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let wrong = |problem: String| {
        Error::download(base.address, format!("what came is not the file: {problem}"), "")
    };
    // One request: the beginning is the header and all that is needed, and one sum vouches for both.
    let bytes = get(0..base.bytes)?;
    let sum = sha256_of(&bytes);
    if bytes.len() as u64 != base.bytes || sum != base.sha256 {
        let count = bytes.len();
        return Err(wrong(format!("{count} bytes with the SHA-256 {sum}, not {}", base.sha256)));
    }
    let header = Header::of_beginning(&bytes).map_err(wrong)?;
    let mut parts = Vec::new();
    for part in header.parts(tensors, 0).map_err(wrong)? {
        let inside = bytes.get(part.start as usize..part.end as usize);
        let inside = inside.ok_or_else(|| wrong("some of the base lies behind it".into()))?;
        parts.push((part.start, inside.to_vec()));
    }
    let notes = [("from", base.address), ("sha256", base.sha256)];
    let file = subset::write(&header, tensors, &parts, &notes);
    file.map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Two tensors of the base, one of the top, behind them.
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

    /// Serves `bytes` in parts, as many times as it is asked.
    fn server(bytes: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/model.safetensors", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let lines: Vec<String> =
                    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let range = lines.iter().find_map(|line| {
                    let (name, value) = line.split_once(": bytes=")?;
                    let (first, last) = value.trim().split_once('-')?;
                    name.eq_ignore_ascii_case("range")
                        .then(|| (first.parse::<usize>().unwrap(), last.parse::<usize>().unwrap()))
                });
                // Somebody only looks whether the server is there.
                let Some((first, last)) = range else { continue };
                let part = &bytes[first..=last];
                let head = format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\
                     Content-Range: bytes {first}-{last}/{}\r\nConnection: close\r\n\r\n",
                    part.len(),
                    bytes.len()
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(part));
            }
        });
        address
    }

    fn names() -> Vec<String> {
        ["features.0.weight", "features.0.bias"].map(String::from).to_vec()
    }

    fn base(address: String, bytes: &[u8]) -> Base {
        let part = &bytes[..bytes.len() - 400];
        let (address, sha256) = (address.leak(), sha256_of(part).leak());
        Base { address, bytes: part.len() as u64, sha256 }
    }

    #[test]
    fn the_base_of_a_network_far_away_is_fetched_alone_and_kept() {
        let bytes = file();
        let base = base(server(bytes.clone()), &bytes);
        let folder = tempfile::tempdir().unwrap();
        let path = fetch_base("net", &base, &names(), folder.path()).unwrap();
        let mut open = TensorFile::open(&path).unwrap();
        assert_eq!(open.shapes().len(), 2);
        let weight = open.read("features.0.weight").unwrap();
        assert_eq!(weight, tch::Tensor::from_slice(&[1f32, 2.0]));
        assert!(std::fs::metadata(&path).unwrap().len() < 600);
        // The second time nobody is asked; what was damaged meanwhile is noticed.
        let away = Base { address: "http://127.0.0.1:9/none", ..base };
        assert_eq!(fetch_base("net", &away, &names(), folder.path()).unwrap(), path);
        let mut damaged = std::fs::read(&path).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let kept = Source::new("net-base.safetensors", "");
        assert_eq!(download::kept(&kept, folder.path()).unwrap(), None);
    }

    #[test]
    fn what_is_not_the_file_is_refused() {
        let bytes = file();
        let base = base("a".into(), &bytes);
        let get = |range: Range<u64>| Ok(bytes[range.start as usize..range.end as usize].to_vec());
        assert!(base_file(&base, &names(), get).is_ok());
        let top = ["head.fc.weight".to_owned()];
        let error = base_file(&base, &top, get).unwrap_err().to_string();
        assert!(error.contains("lies behind it"), "{error}");
        let other = |range: Range<u64>| Ok(vec![7; (range.end - range.start) as usize]);
        let error = base_file(&base, &names(), other).unwrap_err().to_string();
        assert!(error.contains("not the file") && error.contains(base.sha256), "{error}");
    }
}
