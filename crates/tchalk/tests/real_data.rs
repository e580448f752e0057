//! Official files, where `TCHALK_DATA_DIR` holds them; skipped, and said so, where it does not.

#[path = "common/bundle.rs"]
mod bundle;

use bundle::bundle;
use tchalk::prelude::*;

#[test]
fn cifar10_is_what_its_page_says() {
    if bundle(&["cifar10/cifar-10-binary.tar.gz"]).is_none() {
        return;
    }
    let cifar10 = datasets::cifar10().unwrap();
    assert_eq!(cifar10.name(), "CIFAR-10");
    assert_eq!(cifar10.train.images().shape(), [50_000, 32, 32, 3]);
    assert_eq!(cifar10.test.images().shape(), [10_000, 32, 32, 3]);
    assert_eq!(cifar10.class_names()[6], "frog");
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
    if bundle(&["mnist"]).is_none() {
        return;
    }
    let mnist = datasets::mnist().unwrap();
    assert_eq!(mnist.train.images().shape(), [60_000, 28, 28, 1]);
    assert_eq!(mnist.test.images().shape(), [10_000, 28, 28, 1]);
    assert_eq!(mnist.train.labels()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(mnist.test.labels()[..5], [7, 2, 1, 0, 4]);
    // Mean and deviation as everybody normalizes by them.
    let images = mnist.train.images();
    let mean = images.iter().map(|&value| f64::from(value)).sum::<f64>() / images.len() as f64;
    let spread = images.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
    let deviation = (spread / images.len() as f64).sqrt();
    assert!((mean / 255.0 - 0.1307).abs() < 5e-5, "{mean}");
    assert!((deviation / 255.0 - 0.3081).abs() < 5e-5, "{deviation}");
    assert!(mnist.source().contains("verified"), "{}", mnist.source());
}

#[test]
fn lossless_images_are_found_again_among_those_that_were_jpegs() {
    const RECORD: usize = 3_073;
    const LOSSLESS: &str = "cifar10/lossless_train_400.bin";
    let Some(folder) = bundle(&[LOSSLESS, "cifar10/cifar-10-binary.tar.gz"]) else { return };
    let records = std::fs::read(folder.join(LOSSLESS)).unwrap();
    let train = datasets::cifar10().unwrap().train;
    let (images, labels) = (train.images(), train.labels());
    // Coarse images, a mean for each 8 by 8 pixels and color, find the counterpart quickly.
    let coarse = |pixel: &dyn Fn(usize, usize, usize) -> f32| -> Vec<f32> {
        let mut means = vec![0.0; 48];
        for (row, column, channel) in
            (0..32).flat_map(|r| (0..32).flat_map(move |c| (0..3).map(move |k| (r, c, k))))
        {
            means[(row / 8 * 4 + column / 8) * 3 + channel] += pixel(row, column, channel) / 64.0;
        }
        means
    };
    let all: Vec<Vec<f32>> = images
        .outer_iter()
        .map(|image| coarse(&|row, column, channel| f32::from(image[[row, column, channel]])))
        .collect();
    let distance =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let (mut errors, mut same_label) = (Vec::new(), 0);
    for record in records.chunks_exact(RECORD) {
        let value = |row: usize, column: usize, channel: usize| {
            f32::from(record[1 + channel * 1024 + row * 32 + column])
        };
        let wanted = coarse(&value);
        let nearest = (0..all.len())
            .min_by(|&a, &b| distance(&all[a], &wanted).total_cmp(&distance(&all[b], &wanted)))
            .unwrap();
        let image = images.index_axis(ndarray::Axis(0), nearest);
        let differences = image.indexed_iter().map(|((row, column, channel), &found)| {
            (f32::from(found) - value(row, column, channel)).abs()
        });
        errors.push(differences.sum::<f32>() / 3_072.0);
        same_label += usize::from(labels[nearest] == usize::from(record[0]));
    }
    assert_eq!((errors.len(), same_label), (400, 400));
    let mean = errors.iter().sum::<f32>() / 400.0;
    let worst = errors.iter().copied().fold(0.0, f32::max);
    eprintln!("mean absolute difference {mean:.2}, of the worst image {worst:.2}, of 255");
    assert!(mean < 8.0 && worst < 16.0, "{mean} {worst}");
}

#[test]
fn ants_and_bees_load_as_a_folder() {
    if bundle(&["hymenoptera/val"]).is_none() {
        return;
    }
    let val = datasets::image_folder("hymenoptera/val", [64, 64]).unwrap();
    assert_eq!(val.class_names(), ["ants", "bees"]);
    assert_eq!(val.images().shape(), [val.len(), 64, 64, 3]);
    let set = ImageFolder::new("hymenoptera")
        .size([64, 64])
        .aspect_ratio(AspectRatio::Pad)
        .dataset()
        .unwrap();
    assert_eq!(set.test.len(), val.len());
    assert!(set.train.len() > 200, "{set:?}");
    let stream =
        ImageFolder::new("hymenoptera/train").size([64, 64]).aspect_ratio(AspectRatio::Pad);
    let stream = stream.stream(50).unwrap();
    let mut streamed = stream.next_batch().unwrap().unwrap();
    while let Some(batch) = stream.next_batch().unwrap() {
        streamed = streamed.concatenate(&batch).unwrap();
    }
    assert_eq!(streamed.images(), set.train.images());
    assert_eq!(streamed.labels(), set.train.labels());
}

#[test]
fn kaggles_files_have_the_right_counts() {
    if bundle(&["digit-recognizer/train.csv"]).is_none() {
        return;
    }
    let digits = kaggle::digit_recognizer().unwrap();
    assert_eq!(digits.train.images().shape(), [42_000, 28, 28, 1]);
    assert_eq!(digits.test.images().shape(), [28_000, 28, 28, 1]);
    assert_eq!((digits.train.labels().len(), digits.test.labels().len()), (42_000, 0));
    assert!(digits.source().contains("verified against SHA256SUMS"), "{}", digits.source());
    // Both together are MNIST's 70,000 images.
    let folder = std::env::var("TCHALK_DATA_DIR").unwrap();
    let test =
        CsvTable::read(std::path::Path::new(&folder).join("digit-recognizer/test.csv")).unwrap();
    assert_eq!((test.len(), test.columns().len()), (28_000, 784));
    let row: Vec<u8> = test.row(27_999).unwrap().iter().map(|cell| cell.parse().unwrap()).collect();
    let images = digits.test.images();
    assert_eq!(
        row,
        images.index_axis(ndarray::Axis(0), 27_999).iter().copied().collect::<Vec<_>>()
    );
    if std::path::Path::new(&folder).join("mnist").exists() {
        let sum = |split: &Split| split.images().iter().map(|&value| u64::from(value)).sum::<u64>();
        let mnist = datasets::mnist().unwrap();
        let sums = [&mnist.train, &mnist.test, &digits.train, &digits.test].map(sum);
        assert_eq!(sums[0] + sums[1], sums[2] + sums[3]);
    }
}

#[test]
fn kaggle_s_sample_and_the_withheld_labels_go_through_the_checklist() {
    const FILES: [&str; 3] = ["train.csv", "sample_submission.csv", "test_labels.csv"];
    let files = FILES.map(|name| format!("digit-recognizer/{name}"));
    let Some(folder) = bundle(&files.each_ref().map(String::as_str)) else { return };
    let digits = kaggle::digit_recognizer().unwrap();
    let sample = kaggle::sample_submission(&digits).unwrap();
    assert_eq!((sample.name().as_str(), sample.len()), ("sample_submission.csv", 28_000));
    let check = sample.check(&digits).unwrap();
    assert!(!check.passes() && check.has(check::Finding::SampleSubmission), "{check:?}");
    // The true labels are a submission without problems.
    let truth = Submission::read(folder.join(&files[2])).unwrap();
    let check = truth.check(&digits).unwrap();
    eprintln!("{check:?}");
    assert!(check.passes() && check.is_ready(), "{check:?}");
    assert!(!format!("{check:?}").contains("\n! "), "{check:?}");
    // As a network's answers, for the images in their order and for mixed ones.
    let labels = truth.labels();
    let answers = |split: &Split| {
        let rows = ndarray::Array2::from_shape_fn((28_000, 10), |(row, class)| {
            if labels[row] == class { 1.0 } else { 0.0 }
        });
        let set = split.to_tensors(Device::Cpu);
        Submission::new(&Predictions::from_probabilities(rows, &set).unwrap()).unwrap()
    };
    let mine = answers(&digits.test);
    let check = mine.check(&digits).unwrap().against(&truth);
    assert!(check.has(check::Finding::ImagesInOrder), "{check:?}");
    assert!(check.has(check::Finding::SameAnswers), "{check:?}");
    let mixed = answers(&digits.test.shuffle()).check(&digits).unwrap();
    assert!(mixed.has(check::Finding::ImagesMixed), "{mixed:?}");
    let comparison = mine.compare(&sample).unwrap();
    let zeros = labels.iter().filter(|&&label| label == 0).count();
    assert_eq!(comparison.differing().len(), 28_000 - zeros);
    assert!(comparison.image_grid(2, 5).is_ok());
    let results = tempfile::tempdir().unwrap();
    let path = mine.save_in(results.path()).unwrap();
    let kept = std::fs::read_to_string(path).unwrap();
    let theirs = std::fs::read_to_string(folder.join(&files[2])).unwrap();
    assert_eq!(kept, theirs.replace("\r\n", "\n"));
}
