//! How long t-SNE takes: `bench_tsne POINTS OUT`, where POINTS is a safetensors file with
//! `points`, `f32 [n, d]`.
//!
//! Prints seconds and divergence as JSON, and writes the map to OUT (safetensors, `map`).

use std::time::Instant;
use tchalk::prelude::*;

fn main() -> tchalk::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, points, out] = &arguments[..] else { panic!("bench_tsne POINTS OUT") };
    let points = Tensor::read_safetensors(points)?.remove(0).1;
    let begun = Instant::now();
    let map = Tsne::new(2).fit(&points)?;
    let seconds = begun.elapsed().as_secs_f64();
    let divergence = map.divergence().expect("t-SNE measures it");
    let places = map.points();
    let places = Tensor::from_slice(places.as_slice().expect("contiguous")).view([-1, 2]);
    Tensor::write_safetensors(&[("map", places)], out)?;
    println!("{{\"seconds\": {seconds}, \"divergence\": {divergence}}}");
    Ok(())
}
