//! The stop button while a map is drawn. Alone in its process: there is one button for all.

use ndarray::Array2;
use std::time::Duration;
use tchalk::prelude::*;
use tchalk::runtime::interrupt;

/// A map that was stopped while it was drawn. Where the button is pressed before that, when nothing
/// can be kept, it is pressed later the next time; too late it cannot be.
fn stopped(points: &Array2<f32>) -> Embedding {
    let search = Tsne::new(2).iterations(100_000_000).budget(Budget::Full);
    for attempt in 0..20 {
        interrupt::clear();
        let presser = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50u64 << attempt));
            interrupt::request();
        });
        let found = search.fit(points);
        presser.join().unwrap();
        match found {
            Ok(map) => return map,
            Err(error) => assert!(error.to_string().ends_with("interrupted"), "{error}"),
        }
    }
    panic!("never pressed in time");
}

#[test]
fn a_stopped_map_is_kept_and_says_so() {
    let points = Array2::from_shape_fn((400, 6), |(i, k)| ((i * (k + 3)) as f32 * 0.37).sin());
    let map = stopped(&points);
    let text = format!("{map:?}");
    assert!(text.contains("stopped after") && text.contains("of 100000000 iterations"), "{text}");
    assert!(map.points().iter().all(|place| place.is_finite()));
    assert!(map.scatter().description().contains("stopped after"));
    // Pressed before anything is made, there is nothing to keep.
    let error = Pca::new(2).fit(&points).unwrap_err().to_string();
    assert_eq!(error, "Pca::new(2): interrupted");
    interrupt::clear();
    assert!(Pca::new(2).fit(&points).is_ok());
}
