//! Where weights come from, and which preprocessing they need.

use crate::files::expand_home;
use crate::layers::Normalize;
use std::path::PathBuf;

/// The source of a ready-made network's weights.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Weights {
    /// Trained on ImageNet: 1.2 million photos of 1,000 classes. They are searched in the bundle
    /// (`TCHALK_DATA_DIR`, folder `weights`), then in the cache, and then downloaded.
    #[default]
    ImageNet,
    /// From this file; [`Weights::file`] makes it.
    File(PathBuf),
    /// Random weights from the library's seed.
    Random,
    /// The weights of [`built_in_base`](super::built_in_base()), which come with the library.
    BuiltIn,
}

impl Weights {
    /// Weights from a file with torchvision's names: safetensors, PyTorch's `.pth` or `.pt`, or tch's
    /// `.ot`. Only tensors are read, and nothing in the file is ever run.
    ///
    /// A file name without a folder is also searched in the bundle's folder `weights`.
    pub fn file(path: impl Into<PathBuf>) -> Weights {
        Weights::File(expand_home(path.into()))
    }
}

/// What happens to images before the first layer with weights.
///
/// Images have values from 0 to 1. A network that was trained on images with mean 0 and standard deviation 1
/// needs such images when it is used, too.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Preprocessing {
    /// What the weights were trained with; nothing for random weights.
    #[default]
    FromWeights,
    /// Nothing.
    None,
    /// Subtracts a mean from each of the three channels, and divides by a standard deviation.
    Normalize {
        /// The means of red, green and blue, for values from 0 to 1.
        mean: [f64; 3],
        /// The standard deviations of red, green and blue.
        std: [f64; 3],
    },
}

/// The preprocessing of torchvision's networks.
pub(super) const TORCHVISION: Preprocessing =
    Preprocessing::Normalize { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

impl Preprocessing {
    /// The layer that does it, if there is one.
    pub(super) fn layer(self) -> Option<Normalize> {
        match self {
            Preprocessing::Normalize { mean, std } => Some(Normalize::new(mean, std)),
            Preprocessing::FromWeights | Preprocessing::None => None,
        }
    }

    /// Reads a note in the metadata of weights, such as "pixel values 0..255 minus mean [123,117,104]" or
    /// "RGB/255, mean .485 .456 .406, std .229 .224 .225".
    pub(super) fn from_note(note: &str) -> Option<Preprocessing> {
        let mean = three_numbers_after(note, "mean")?;
        let bytes = note.contains("0..255") || note.contains("0-255");
        match three_numbers_after(note, "std") {
            Some(std) if !bytes => Some(Preprocessing::Normalize { mean, std }),
            None if bytes && !note.contains("std") => Some(Preprocessing::Normalize {
                mean: mean.map(|mean| mean / 255.0),
                std: [1.0 / 255.0; 3],
            }),
            _ => None,
        }
    }
}

/// `true` for the preprocessing of the weights, `false` for none.
impl From<bool> for Preprocessing {
    fn from(enabled: bool) -> Preprocessing {
        if enabled { Preprocessing::FromWeights } else { Preprocessing::None }
    }
}

/// The three numbers after a word.
fn three_numbers_after(text: &str, word: &str) -> Option<[f64; 3]> {
    let rest = text.split_once(word)?.1;
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut numbers = rest.split(|c| !is_number(c)).filter(|part| part.contains(char::is_numeric));
    let mut next = || numbers.next()?.trim_end_matches('.').parse::<f64>().ok();
    Some([next()?, next()?, next()?])
}

/// The width and height of the images in a note, such as "227x227".
pub(super) fn image_size_from_note(note: &str) -> Option<usize> {
    let sizes = note.split(|c: char| !c.is_ascii_alphanumeric());
    let square = |text: &str| {
        let (a, b) = text.split_once('x')?;
        if a == b { a.parse().ok() } else { None }
    };
    sizes.filter_map(square).find(|side| (1..=2_000).contains(side))
}

/// The number of ImageNet's classes.
pub(super) const IMAGENET_CLASSES: usize = 1000;

/// A published file of weights, with the checksums and sizes that others have published.
#[derive(Debug)]
pub(super) struct PublishedFile {
    /// The file name, which ends with the first eight digits of its SHA-256.
    pub(super) file: &'static str,
    /// The size in bytes, if it is known.
    pub(super) size: Option<u64>,
    /// The whole SHA-256, if it is known.
    pub(super) sha256: Option<&'static str>,
    /// A safetensors file with the same weights, of which the base alone can be downloaded.
    pub(super) base: Option<BasePrefix>,
}

/// The beginning of a safetensors file: its header and the weights of the base.
#[derive(Debug)]
pub(super) struct BasePrefix {
    pub(super) url: &'static str,
    /// The size of the beginning.
    pub(super) bytes: u64,
    pub(super) sha256: &'static str,
}

impl PublishedFile {
    pub(super) fn url(&self) -> String {
        format!("https://download.pytorch.org/models/{}", self.file)
    }

    /// The first digits of the SHA-256, from the file name.
    pub(super) fn sha256_prefix(&self) -> &'static str {
        self.file.rsplit(['-', '.']).nth(1).unwrap_or_default()
    }
}

/// The file of torchvision's first version of a network.
pub(super) fn published(name: &str) -> Option<&'static PublishedFile> {
    const fn file(file: &'static str) -> PublishedFile {
        PublishedFile { file, size: None, sha256: None, base: None }
    }
    static FILES: [(&str, PublishedFile); 6] = [
        (
            "vgg16",
            PublishedFile {
                file: "vgg16-397923af.pth",
                size: Some(553_433_881),
                sha256: Some("397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"),
                base: Some(BasePrefix {
                    url: "https://huggingface.co/timm/vgg16.tv_in1k/resolve/\
                              b8d8aa2dd860af9233c8c67385a8097fd6c35d3f/model.safetensors",
                    bytes: 58_861_562,
                    sha256: "d7d175e1efcf3c245e9f8f2dd2643071784a0867e18e7ace320ddc2836fae3ff",
                }),
            },
        ),
        (
            "resnet18",
            PublishedFile {
                file: "resnet18-f37072fd.pth",
                size: Some(46_830_571),
                sha256: Some("f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"),
                base: None,
            },
        ),
        (
            "resnet50",
            PublishedFile {
                file: "resnet50-0676ba61.pth",
                size: Some(102_530_333),
                sha256: Some("0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"),
                base: None,
            },
        ),
        ("squeezenet1_0", file("squeezenet1_0-b66bff10.pth")),
        (
            "squeezenet1_1",
            PublishedFile {
                file: "squeezenet1_1-b8a52dc0.pth",
                size: None,
                sha256: Some("b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b"),
                base: None,
            },
        ),
        ("mobilenet_v2", file("mobilenet_v2-b0353104.pth")),
    ];
    FILES.iter().find(|(known, _)| *known == name).map(|(_, published)| published)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_in_metadata_are_read() {
        let caffe = "RGB order, pixel values 0..255 minus mean [123,117,104], no scaling; 227x227";
        let Some(Preprocessing::Normalize { mean, std }) = Preprocessing::from_note(caffe) else {
            panic!("the note is understood")
        };
        assert_eq!(mean, [123.0 / 255.0, 117.0 / 255.0, 104.0 / 255.0]);
        assert_eq!(std, [1.0 / 255.0; 3]);
        assert_eq!(image_size_from_note(caffe), Some(227));
        let torch = "RGB/255, mean .485 .456 .406, std .229 .224 .225";
        assert_eq!(Preprocessing::from_note(torch), Some(TORCHVISION));
        assert_eq!(image_size_from_note(torch), None);
        assert_eq!(Preprocessing::from_note("mean [1, 2"), None);
        assert_eq!(Preprocessing::from_note("0..255 minus mean [1, 2, 3], std 4"), None);
    }

    #[test]
    fn names_and_checksums_of_published_files_agree() {
        for name in
            ["vgg16", "resnet18", "resnet50", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2"]
        {
            let file = published(name).unwrap();
            assert_eq!(file.sha256_prefix().len(), 8, "{name}");
            assert!(file.file.starts_with(name) && file.url().ends_with(".pth"));
            assert!(
                file.sha256
                    .is_none_or(|sum| sum.starts_with(file.sha256_prefix()) && sum.len() == 64)
            );
        }
    }
}
