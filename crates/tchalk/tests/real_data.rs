//! Official files, where `TCHALK_DATA_DIR` holds them; skipped, and said so, where it does not.

use tchalk::prelude::*;

/// Whether there is a bundle with this file.
fn bundled(file: &str) -> bool {
    let folder = std::env::var("TCHALK_DATA_DIR").unwrap_or_default();
    let there = !folder.is_empty() && std::path::Path::new(&folder).join(file).exists();
    if !there {
        eprintln!("skipped: TCHALK_DATA_DIR holds no {file}");
    }
    there
}

#[test]
fn cifar10_is_what_its_page_says() {
    if !bundled("cifar10/cifar-10-binary.tar.gz") {
        return;
    }
    let cifar10 = datasets::cifar10().unwrap();
    assert_eq!(cifar10.name(), "CIFAR-10");
    assert_eq!(cifar10.train.images().shape(), [50_000, 32, 32, 3]);
    assert_eq!(cifar10.test.images().shape(), [10_000, 32, 32, 3]);
    assert_eq!(cifar10.classes()[6], "frog");
    for (split, each) in [(&cifar10.train, 5_000), (&cifar10.test, 1_000)] {
        for class in 0..10 {
            assert_eq!(split.labels().iter().filter(|&&label| label == class).count(), each);
        }
    }
    // The mean pixel of the training set, to a tenth (lossless files give 120.7).
    let images = cifar10.train.images();
    let mean = images.iter().map(|&value| f64::from(value)).sum::<f64>() / images.len() as f64;
    assert!((mean - 120.7).abs() < 0.3, "{mean}");
}

#[test]
fn mnist_is_what_its_page_says() {
    if !bundled("mnist") {
        return;
    }
    let mnist = datasets::mnist().unwrap();
    assert_eq!(mnist.train.images().shape(), [60_000, 28, 28, 1]);
    assert_eq!(mnist.test.images().shape(), [10_000, 28, 28, 1]);
    assert_eq!(mnist.train.labels()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(mnist.test.labels()[..5], [7, 2, 1, 0, 4]);
}
