//! How long PCA takes: `bench_pca SET COMPONENTS OUT`, where SET is `cifar10` or `mnist`.
//!
//! Prints the seconds as JSON, and writes components and variances to OUT (safetensors).

use std::time::Instant;
use tchalk::prelude::*;

fn main() -> tchalk::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, set, components, out] = &arguments[..] else {
        panic!("bench_pca SET COMPONENTS OUT");
    };
    let set = if set == "mnist" { datasets::mnist()? } else { datasets::cifar10()? };
    let components: usize = components.parse().expect("a number of components");
    let begun = Instant::now();
    let pca = Pca::new(components).fit(&set.train)?;
    let fit = begun.elapsed().as_secs_f64();
    let points = pca.transform(&set.train)?;
    let both = begun.elapsed().as_secs_f64();
    let directions = pca.components();
    let directions = Tensor::from_slice(directions.as_slice().expect("contiguous"))
        .view([components as i64, -1]);
    let variances = Tensor::from_slice(&pca.explained_variance());
    Tensor::write_safetensors(&[("components", directions), ("variances", variances)], out)?;
    println!("{{\"fit\": {fit}, \"fit_transform\": {both}, \"points\": {}}}", points.len());
    Ok(())
}
