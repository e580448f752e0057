//! How points are drawn.

use super::Embedding;
use crate::plot::{Figure, Scatter3d, ScatterPanel};
use crate::text::thousands;
use ndarray::Axis;

/// More points than this are thinned out evenly.
const MAX_POINTS: usize = 10_000;
/// Neighbors that the number beside the image looks at.
const NEIGHBORS: usize = 10;
/// Up to so many points that number is worked out unasked.
const MOST_FOR_PURITY: usize = 20_000;

impl Embedding {
    /// The points in the first two dimensions, colored by class. On a page, moving over them shows
    /// the images that they stand for. Beside them stands how many of the ten nearest points have
    /// the same class ([`Embedding::purity`] of what is drawn).
    pub fn scatter(&self) -> Figure {
        scatter(self)
    }

    /// The points in the first three dimensions. On a page they turn with the mouse, a finger or the
    /// arrow keys; elsewhere they stand still.
    pub fn scatter_3d(&self) -> Scatter3d {
        scatter_3d(self)
    }
}

fn scatter(embedding: &Embedding) -> Figure {
    let chosen = sample(embedding);
    let drawn = embedding.first(2);
    let at = |i: usize| {
        let coordinate = |axis: usize| drawn.points.get((i, axis)).copied().map_or(0.0, f64::from);
        (coordinate(0), coordinate(1))
    };
    let mut panel = ScatterPanel::new("");
    for (class, members) in classes(embedding, &chosen) {
        panel = panel.group(class, members.iter().map(|&i| at(i)).collect());
    }
    panel = match &drawn.axes[..] {
        [] => panel.without_axes(),
        [x] => panel.x_label(x),
        [x, y, ..] => panel.x_label(x).y_label(y),
    };
    for note in notes(embedding, &drawn, chosen.len()) {
        panel = panel.note(note);
    }
    if let Some(images) = &embedding.metadata.images {
        let (labels, classes) = (embedding.labels(), embedding.classes());
        panel = panel.images(chosen.iter().map(|&i| {
            let caption = labels.get(i).map_or(String::new(), |&label| classes[label].clone());
            (at(i), images.index_axis(Axis(0), i).to_shared(), caption)
        }));
    }
    let figure = Figure::grid(vec![panel.into()], 1).expect("one panel in one column");
    figure.title(embedding.name())
}

fn scatter_3d(embedding: &Embedding) -> Scatter3d {
    let chosen = sample(embedding);
    let drawn = embedding.first(3);
    let at = |i: usize| {
        [0, 1, 2].map(|axis| drawn.points.get((i, axis)).copied().map_or(0.0, f64::from))
    };
    let mut scatter = Scatter3d::new(embedding.name());
    for (class, members) in classes(embedding, &chosen) {
        scatter = scatter.group(class, members.iter().map(|&i| at(i)).collect());
    }
    for note in notes(embedding, &drawn, chosen.len()) {
        scatter = scatter.note(note);
    }
    scatter.axes(drawn.axes.iter().map(|axis| axis.to_string()))
}

/// The points that are drawn: all, or an even choice.
fn sample(embedding: &Embedding) -> Vec<usize> {
    let n = embedding.len();
    let count = n.min(MAX_POINTS);
    (0..count).map(|i| i * n / count).collect()
}

/// The names of the classes, and which of the chosen points belong to each.
fn classes(embedding: &Embedding, chosen: &[usize]) -> Vec<(String, Vec<usize>)> {
    let labels = &embedding.metadata.labels;
    if labels.is_empty() {
        return vec![(String::new(), chosen.to_vec())];
    }
    let mut classes: Vec<(String, Vec<usize>)> =
        embedding.metadata.classes.iter().map(|class| (class.clone(), Vec::new())).collect();
    chosen.iter().for_each(|&i| classes[labels[i]].1.push(i));
    classes
}

fn notes(embedding: &Embedding, drawn: &Embedding, shown: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let n = embedding.len();
    let small = (NEIGHBORS + 1..=MOST_FOR_PURITY).contains(&n);
    if let Some(purity) = small.then(|| drawn.purity(NEIGHBORS).ok()).flatten() {
        notes.push(format!(
            "{:.0} % of the {NEIGHBORS} nearest points are of the same class",
            100.0 * purity
        ));
    }
    if shown < n {
        notes.push(format!("{} of {} points", thousands(shown), thousands(n)));
    }
    if !embedding.note.is_empty() {
        notes.push(embedding.note.clone());
    }
    notes
}
