//! Explanations of photos from `TCHALK_DATA_DIR`; skipped where that has none. They are alone in their
//! process, since the shuffled weights come from the one random generator.

#[path = "common/bundle.rs"]
mod bundle;

use bundle::bundle;
use ndarray::{Array2, Axis};
use std::path::Path;
use tchalk::prelude::*;

/// The center of a photo in the size that the network takes.
fn photo(path: &Path, side: u32) -> Tensor {
    let photo = image::open(path).unwrap();
    let photo = photo.resize_to_fill(side, side, image::imageops::FilterType::Triangle).to_rgb8();
    let side = i64::from(side);
    let x = Tensor::from_slice(photo.as_raw()).view([side, side, 3]).permute([2, 0, 1]);
    x.to_kind(Kind::Float) / 255.0
}

/// Left, top, right and bottom, as fractions of the width and height.
type Box = [f32; 4];

/// The fraction of a map's sum that lies in boxes.
fn inside(map: &Array2<f32>, boxes: &[Box]) -> f32 {
    let (height, width) = map.dim();
    let inside = map.indexed_iter().filter(|((y, x), _)| {
        let (y, x) = ((*y as f32 + 0.5) / height as f32, (*x as f32 + 0.5) / width as f32);
        boxes.iter().any(|&[left, top, right, bottom]| {
            (top..bottom).contains(&y) && (left..right).contains(&x)
        })
    });
    inside.map(|(_, value)| value).sum::<f32>() / map.sum()
}

#[test]
fn grad_cam_finds_the_animal_and_shuffled_weights_do_not() {
    const FILE: &str = "weights/squeezenet1_0_deepcompression.safetensors";
    let Some(folder) = bundle(&[FILE, "photos"]) else { return };
    let net = applications::squeezenet1_0().weights(Weights::file(folder.join(FILE)));
    let net = net.build(Device::Cpu).unwrap();
    // Drawn by hand: the parrot's upper and lower half, and the cat's head.
    let parrot: &[Box] = &[[0.38, 0.0, 0.98, 0.4], [0.2, 0.4, 0.85, 1.0]];
    let cat: &[Box] = &[[0.24, 0.1, 0.87, 0.66]];
    for (name, animal) in [("parrot.jpg", parrot), ("cat_720p.jpg", cat)] {
        let x = photo(&folder.join("photos").join(name), 227);
        let top = |cam: &explain::GradCam, class: usize| {
            let index = cam.classes().iter().position(|&it| it == class).unwrap();
            cam.maps().index_axis(Axis(0), index).to_owned()
        };
        let (mut learned, mut shuffled) = (0.0, Vec::new());
        for seed in 0..16 {
            runtime::seed(seed);
            let check = explain::grad_cam_sanity_check(&net, "classifier.1", &x).unwrap();
            let class = check.trained().classes()[0];
            learned = inside(&top(&check.trained(), class), animal);
            // The map of some shuffled networks is zero everywhere; these are left out.
            let other = top(&check.shuffled(), class);
            shuffled.extend((other.sum() > 0.0).then(|| inside(&other, animal)));
        }
        assert!(shuffled.len() >= 3, "{name}: {} maps", shuffled.len());
        let mean = shuffled.iter().sum::<f32>() / shuffled.len() as f32;
        eprintln!("{name}: {learned:.2} inside; with shuffled weights {mean:.2}, {shuffled:.2?}");
        assert!(learned > 0.7, "{name}: {learned:.2} inside");
        assert!(mean < learned - 0.1, "{name}: {learned:.2} inside, and shuffled {shuffled:.2?}");
    }
}
