//! A drawing that is too high continues in a further column.

use super::layers::Layered;
use super::routes::Channel;

/// Every column has at least this part of the highest one's height.
const LEAST_PIECE: f64 = 0.3;

/// After which rows a new column begins, where all of them are higher than `most`.
pub(super) fn cuts(
    layered: &Layered,
    heights: &[f64],
    channels: &[Channel],
    most: f64,
) -> Vec<usize> {
    let rows = heights.len();
    // All lines over the cut come from one box right above it.
    let segments = &layered.segments;
    let possible: Vec<bool> = (0..rows - 1)
        .map(|row| {
            let mut over = segments.iter().filter(|(from, _)| layered.vertices[*from].layer == row);
            let Some(&(source, _)) = over.next() else { return false };
            layered.vertices[source].item.is_some() && over.all(|&(from, _)| from == source)
        })
        .collect();
    let filled = |limit: f64| {
        let (mut cuts, mut y, mut last, mut tallest): (Vec<usize>, f64, Option<usize>, f64) =
            (Vec::new(), 0.0, None, 0.0);
        let mut at = 0;
        let mut begin = 0;
        while at < rows {
            y += heights[at];
            if y > limit
                && let Some(cut) = last
            {
                cuts.push(cut);
                (y, at, last, begin) = (0.0, cut + 1, None, cut + 1);
                continue;
            }
            tallest = tallest.max(y);
            if at + 1 < rows {
                if possible[at] && at >= begin {
                    last = Some(at);
                }
                y += channels[at].height;
            }
            at += 1;
        }
        (cuts, tallest)
    };
    // As many columns as that takes, all about equally high.
    let (mut best, count) = (filled(most), filled(most).0.len());
    let (mut low, mut high) = (0.0, most);
    for _ in 0..24 {
        let middle = (low + high) / 2.0;
        let tried = filled(middle);
        if tried.0.len() <= count && tried.1 <= best.1 {
            best = tried;
            high = middle;
        } else {
            low = middle;
        }
    }
    // A little piece is not worth a column of its own.
    let height = |first: usize, last: usize| {
        heights[first..=last].iter().sum::<f64>()
            + channels[first..last].iter().map(|channel| channel.height).sum::<f64>()
    };
    let (mut cuts, tallest) = best;
    loop {
        let begins = std::iter::once(0).chain(cuts.iter().map(|cut| cut + 1));
        let ends = cuts.iter().copied().chain([rows - 1]);
        let little = |(first, last)| height(first, last) < LEAST_PIECE * tallest;
        match begins.zip(ends).position(little) {
            Some(piece) if !cuts.is_empty() => {
                cuts.remove(piece.min(cuts.len() - 1));
            }
            _ => return cuts,
        }
    }
}
