//! Times how long a CSV file of digits takes to become an array: `bench_csv PATH [REPEATS]`.
//!
//! Prints one line of JSON with the seconds of the best repeat, for a bench to compare.

use std::time::Instant;
use tchalk::kaggle;

fn main() -> tchalk::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "train.csv".into());
    let repeats: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(5).max(1);
    let (mut best, mut sum, mut shape) = (f64::INFINITY, 0u64, Vec::new());
    for _ in 0..repeats {
        let begun = Instant::now();
        let digits = kaggle::read_digits(&path)?;
        best = best.min(begun.elapsed().as_secs_f64());
        let images = digits.images();
        (sum, shape) =
            (images.iter().map(|&value| u64::from(value)).sum(), images.shape().to_vec());
    }
    println!(
        "{{\"seconds\": {best:.4}, \"repeats\": {repeats}, \"shape\": {shape:?}, \"sum\": {sum}}}"
    );
    Ok(())
}
