//! The components are scikit-learn's, and t-SNE's maps are as near to the points as scikit-learn's.
//!
//! The reference values were written by the scripts in `tests/reference/`. Official files are looked
//! at where `TCHALK_DATA_DIR` holds them; skipped, and said so, where it does not.

#[path = "common/bundle.rs"]
mod bundle;
#[path = "common/reference.rs"]
mod reference;

use bundle::bundle;
use ndarray::Array2;
use reference::reference;
use std::collections::HashSet;
use tchalk::prelude::*;

fn tensor(rows: &Embedding) -> Tensor {
    let points = rows.points();
    let size = [points.nrows() as i64, points.ncols() as i64];
    Tensor::from_slice(points.as_standard_layout().as_slice().unwrap()).view(size)
}

fn components(pca: &FittedPca) -> Tensor {
    let components = pca.components();
    let size = [components.nrows() as i64, components.ncols() as i64];
    Tensor::from_slice(components.as_standard_layout().as_slice().unwrap()).view(size)
}

/// The largest difference between two tensors of one shape.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

/// The largest relative difference.
fn relative(a: &[f64], b: &Tensor) -> f64 {
    let b = Vec::<f64>::try_from(b).unwrap();
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max)
}

#[test]
fn small_sets_have_scikit_learn_s_components() {
    let values = reference("pca");
    for name in ["tall", "wide", "kept"] {
        let of = |what: &str| &values[&format!("{name}.{what}")];
        let wanted = of("variance").size()[0] as usize;
        let pca = if name == "kept" { Pca::with_variance(0.95) } else { Pca::new(wanted) };
        let pca = pca.fit(of("x")).unwrap();
        assert_eq!(pca.len(), wanted, "{name}");
        assert!(relative(&pca.explained_variance(), of("variance")) < 1e-5, "{name}");
        assert!(relative(&pca.explained_variance_ratio(), of("ratio")) < 1e-5, "{name}");
        assert!(distance(&components(&pca), of("components")) < 1e-4, "{name}, with its signs");
        let points = tensor(&pca.transform(of("x")).unwrap());
        let few = of("points").size()[0].min(points.size()[0]);
        assert!(distance(&points.narrow(0, 0, few), &of("points").narrow(0, 0, few)) < 1e-3);
    }
}

/// 40 components of an official set against the exact ones in double precision.
fn assert_official(name: &str, split: &Split, every: i64) {
    let values = reference("pca");
    let of = |what: &str| &values[&format!("{name}.{what}")];
    let pca = Pca::new(40).fit(split).unwrap();
    assert!(relative(&pca.explained_variance(), of("variance")) < 1e-4);
    let own = components(&pca);
    // Some of the numbers of each component, with their signs.
    let some = own.slice(1, 0, own.size()[1], every);
    assert!(distance(&some, of("components")) < 2e-3);
    // Known vectors, projected onto both subspaces: what an angle between them would change.
    let d = own.size()[1];
    let number = |n: i64| Tensor::arange_start(1, n + 1, (Kind::Double, Device::Cpu));
    let probes = number(24).outer(&number(d)).sin();
    let probes =
        &probes / probes.square().sum_dim_intlist([1i64].as_slice(), true, Kind::Double).sqrt();
    let along = probes.matmul(&own.to_kind(Kind::Double).tr());
    assert!(distance(&along.matmul(&along.tr()), of("projected")) < 1e-3);
    let ratio = pca.explained_variance()[0] / of("total").double_value(&[0]);
    assert!((pca.explained_variance_ratio()[0] / ratio - 1.0).abs() < 1e-4);
}

#[test]
fn mnist_has_the_exact_solver_s_components() {
    if bundle(&["mnist"]).is_some() {
        let mnist = datasets::mnist().unwrap();
        assert_official("mnist", &mnist.train, 8);
        let kept = reference("pca")["mnist.kept"].int64_value(&[0]) as usize;
        assert_eq!(Pca::with_variance(0.95).fit(&mnist.train).unwrap().len(), kept);
    }
}

#[test]
fn cifar10_has_the_exact_solver_s_components() {
    if bundle(&["cifar10/cifar-10-binary.tar.gz"]).is_some() {
        assert_official("cifar10", &datasets::cifar10().unwrap().train, 32);
    }
}

/// The Kullback-Leibler divergence of a map over all pairs, in double precision, by van der Maaten's
/// formula: nothing here is the library's.
fn divergence(points: &Tensor, map: &Tensor, perplexity: f64) -> f64 {
    let squares = |x: &Tensor| {
        let x = x.to_kind(Kind::Double);
        let lengths = x.square().sum_dim_intlist([1i64].as_slice(), true, Kind::Double);
        (&lengths + lengths.tr() - x.matmul(&x.tr()) * 2.0).clamp_min(0.0)
    };
    let n = points.size()[0];
    let own = Tensor::eye(n, (Kind::Bool, Device::Cpu));
    let d = squares(points);
    // The width of each row's bell curve, by bisection of its logarithm.
    let mut low = Tensor::full([n, 1], -12.0, (Kind::Double, Device::Cpu));
    let mut high = Tensor::full([n, 1], 12.0, (Kind::Double, Device::Cpu));
    let row = |beta: &Tensor| {
        let p = (-(&d) * beta.exp()).masked_fill(&own, f64::NEG_INFINITY).softmax(1, Kind::Double);
        let entropy = -(p.xlogy(&p)).sum_dim_intlist([1i64].as_slice(), true, Kind::Double);
        (p, entropy)
    };
    for _ in 0..60 {
        let middle = (&low + &high) / 2.0;
        let too_wide = row(&middle).1.gt(perplexity.ln());
        low = middle.where_self(&too_wide, &low);
        high = high.where_self(&too_wide, &middle);
    }
    let p = row(&low).0;
    let p = (&p + p.tr()) / (2 * n) as f64;
    let q = (squares(map) + 1.0).reciprocal().masked_fill(&own, 0.0);
    let q = &q / q.sum(Kind::Double);
    (p.xlogy(&p) - p.xlogy(&q.clamp_min(1e-300))).sum(Kind::Double).double_value(&[])
}

#[test]
fn t_sne_comes_as_near_to_the_points_as_scikit_learn_s() {
    let values = reference("tsne");
    let theirs = values["divergence"].mean(Kind::Double).double_value(&[]);
    let map = Tsne::new(2).budget(Budget::Full).fit(&values["points"]).unwrap();
    let ours = divergence(&values["points"], &tensor(&map), 30.0);
    assert!(ours < 1.03 * theirs, "{ours:.4} against scikit-learn's {theirs:.4}");
    // What the library says of its own map leaves out far neighbors' views, and little else.
    assert!((map.divergence().unwrap() / ours - 1.0).abs() < 0.15, "{:?} {ours}", map.divergence());
}

/// For each point the numbers of those nearest to it.
fn nearest(points: &Array2<f32>, count: usize) -> Vec<HashSet<usize>> {
    let distance = |a: usize, b: usize| (&points.row(a) - &points.row(b)).mapv(|d| d * d).sum();
    let of = |point: usize| {
        let mut others: Vec<usize> = (0..points.nrows()).filter(|&it| it != point).collect();
        others.sort_by(|&a, &b| distance(point, a).total_cmp(&distance(point, b)));
        others.into_iter().take(count).collect()
    };
    (0..points.nrows()).map(of).collect()
}

#[test]
fn a_sample_goes_from_images_to_a_map() {
    let sample = datasets::shapes().unwrap().train.take(300);
    let points = Pca::with_variance(0.9).fit_transform(&sample).unwrap();
    let map = Tsne::new(2).iterations(400).budget(Budget::Full).fit(&points).unwrap();
    assert_eq!((map.len(), map.labels()), (300, sample.labels()));
    let html = map.scatter().title("a map").content().as_html().unwrap();
    assert!(html.contains("tk-spot") && html.len() < 300_000);
    // Of the ten nearest neighbors of a point by chance one in thirty would stay near.
    let (before, after) = (nearest(&points.points(), 10), nearest(&map.points(), 10));
    let stayed = before.iter().zip(&after).map(|(a, b)| a.intersection(b).count()).sum::<usize>();
    assert!(stayed as f64 / 3000.0 > 0.3, "{stayed} of 3000");
}
