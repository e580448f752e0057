//! The built-in digits, drawn by the library stroke by stroke.
//!
//! Each digit has several variants, as in handwriting: a one with or without a flag, a crossed seven, an
//! open four. A variant is a list of strokes; a stroke is a curve through a few points. For each image the
//! points are moved a little, and the digit is stretched, slanted, rotated and drawn with a pen of varying
//! width and pressure. As for the shapes, the arithmetic is exact (no sines), so the images are the same on
//! every machine.

use crate::runtime::seed::{below, shuffle, uniform, unit};
use ndarray::Array4;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The images' width and height.
const SIZE: usize = 28;

/// The seed is fixed, so that the sample is always the same.
const SEED: u64 = 0x7374_726f_6b65;

/// `count` images `u8 [count, 28, 28, 1]`, white on black, and their labels, with the digits
/// equally frequent and in random order. Another `stream` draws others of the same kind.
pub(crate) fn draw(count: usize, stream: u64) -> (Array4<u8>, Vec<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    rng.set_stream(stream);
    let mut labels: Vec<usize> = (0..count).map(|i| i % 10).collect();
    shuffle(&mut labels, &mut rng);
    let pixels = labels.iter().flat_map(|&digit| image(digit, &mut rng)).collect();
    let images =
        Array4::from_shape_vec((count, SIZE, SIZE, 1), pixels).expect("every image has one size");
    (images, labels)
}

type Point = [f32; 2];
/// Points that the pen passes, in a box of width and height 1; y points down. A point that is there
/// twice is a corner.
type Stroke = &'static [Point];

/// A random number around 0: at most `most`, usually below half of it.
fn noise(most: f32, rng: &mut ChaCha8Rng) -> f32 {
    (unit(rng) + unit(rng) + unit(rng) - 1.5) / 1.5 * most
}

/// One image, row by row.
fn image(digit: usize, rng: &mut ChaCha8Rng) -> [u8; SIZE * SIZE] {
    let variants = VARIANTS[digit];
    let variant = variants[below(variants.len(), rng)];
    let hand = Handwriting::new(digit, rng);
    let mut lines: Vec<Vec<Point>> = variant.iter().map(|stroke| hand.line(stroke, rng)).collect();
    scale_and_center(&mut lines, rng);
    draw_lines(&lines, rng)
}

/// The style of one digit, which all its strokes have in common.
struct Handwriting {
    /// How far the points are moved.
    point_noise: f32,
    /// How much the line between them drifts.
    line_noise: f32,
    /// Width to height.
    aspect: f32,
    slant: f32,
    /// Cosine and sine of the rotation.
    rotation: (f32, f32),
    /// How much larger the upper part is than the lower, and how much wider.
    upper: f32,
    broad: f32,
    /// How much the digit is bent.
    bend: f32,
}

impl Handwriting {
    fn new(digit: usize, rng: &mut ChaCha8Rng) -> Handwriting {
        let half = noise(0.16, rng); // The tangent of half the angle: seldom over 9 degrees.
        let square = 1.0 + half * half;
        Handwriting {
            point_noise: uniform(0.04, 0.13, rng),
            line_noise: uniform(0.003, 0.02, rng),
            aspect: if digit == 1 { 0.6 } else { 0.72 } * uniform(0.72, 1.45, rng),
            slant: 0.12 + noise(0.55, rng),
            rotation: ((1.0 - half * half) / square, 2.0 * half / square),
            upper: noise(0.4, rng),
            broad: noise(0.6, rng),
            bend: noise(0.2, rng),
        }
    }

    /// A stroke in this style, as points close to each other.
    fn line(&self, stroke: Stroke, rng: &mut ChaCha8Rng) -> Vec<Point> {
        let mut line = Vec::new();
        let mut curve: Vec<Point> = Vec::new();
        for (i, &point) in stroke.iter().enumerate() {
            if i > 0 && stroke[i - 1] == point {
                let corner = curve[curve.len() - 1];
                line.extend(spline(&curve));
                curve = vec![corner];
            } else {
                // Ends vary more than the points between them.
                let end = if i == 0 || i == stroke.len() - 1 { 1.5 } else { 1.0 };
                curve.push(point.map(|coordinate| coordinate + noise(self.point_noise * end, rng)));
            }
        }
        line.extend(spline(&curve));
        // The line drifts off and returns.
        let mut drift = [0.0f32; 2];
        line.into_iter()
            .map(|point| {
                drift = drift.map(|off| 0.85 * off + noise(self.line_noise, rng));
                self.transform([point[0] + drift[0], point[1] + drift[1]])
            })
            .collect()
    }

    fn transform(&self, [x, y]: Point) -> Point {
        let y = y + self.upper * y * (1.0 - y);
        let x = (x - 0.5) * (1.0 + self.broad * (0.5 - y));
        let x =
            self.aspect * (x + 4.0 * self.bend * (y - 0.5) * (y - 0.5)) + self.slant * (0.5 - y);
        let (cos, sin) = self.rotation;
        [cos * x - sin * (y - 0.5), sin * x + cos * (y - 0.5)]
    }
}

/// A Catmull-Rom spline through all points, as points close to each other.
fn spline(points: &[Point]) -> Vec<Point> {
    const STEPS: usize = 8;
    let last = points.len() - 1;
    let mut curve = vec![points[0]];
    for i in 0..last {
        let [before, from, to, after] =
            [points[i.saturating_sub(1)], points[i], points[i + 1], points[(i + 2).min(last)]];
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            curve.push([0, 1].map(|axis| {
                let [a, b, c, d] = [before[axis], from[axis], to[axis], after[axis]];
                let (slope, square) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d);
                b + 0.5 * t * (slope + t * (square + t * (3.0 * (b - c) + d - a)))
            }));
        }
    }
    curve
}

/// Scales and shifts the strokes to a random size and position in the image.
fn scale_and_center(lines: &mut [Vec<Point>], rng: &mut ChaCha8Rng) {
    let (mut least, mut most) = ([f32::MAX; 2], [f32::MIN; 2]);
    for point in lines.iter().flatten() {
        for axis in 0..2 {
            least[axis] = least[axis].min(point[axis]);
            most[axis] = most[axis].max(point[axis]);
        }
    }
    let (width, height) = (most[0] - least[0], most[1] - least[1]);
    let scale = (uniform(13.0, 19.5, rng) / height).min(uniform(15.0, 19.0, rng) / width);
    let room = [width, height].map(|length| ((SIZE as f32 - 5.0 - scale * length) / 2.0).max(0.0));
    let shift = room.map(|room| noise(room.min(3.5), rng));
    for point in lines.iter_mut().flatten() {
        for axis in 0..2 {
            let middle = (least[axis] + most[axis]) / 2.0;
            point[axis] = SIZE as f32 / 2.0 + shift[axis] + scale * (point[axis] - middle);
        }
    }
}

/// Draws the strokes with a round pen.
fn draw_lines(lines: &[Vec<Point>], rng: &mut ChaCha8Rng) -> [u8; SIZE * SIZE] {
    let pen = uniform(0.75, 1.65, rng);
    let soft = uniform(0.9, 1.3, rng);
    let mut cover = [0f32; SIZE * SIZE];
    for line in lines {
        let (begin, middle, end) =
            (uniform(0.85, 1.15, rng), uniform(0.9, 1.15, rng), uniform(0.6, 1.1, rng));
        for (i, pair) in line.windows(2).enumerate() {
            let along = i as f32 / line.len() as f32;
            let pressure = if along < 0.5 {
                begin + (middle - begin) * 2.0 * along
            } else {
                middle + (end - middle) * (2.0 * along - 1.0)
            };
            draw_segment(&mut cover, pair[0], pair[1], pen * pressure, soft);
        }
    }
    cover.map(|cover| (cover * 255.0 + 0.5) as u8)
}

/// Draws a straight segment of a stroke.
fn draw_segment(cover: &mut [f32; SIZE * SIZE], from: Point, to: Point, radius: f32, soft: f32) {
    let reach = radius + soft;
    let first = |axis: usize| (from[axis].min(to[axis]) - reach).max(0.0) as usize;
    let last = |axis: usize| ((from[axis].max(to[axis]) + reach).max(0.0) as usize).min(SIZE - 1);
    let edge = [to[0] - from[0], to[1] - from[1]];
    let square = (edge[0] * edge[0] + edge[1] * edge[1]).max(1e-12);
    for row in first(1)..=last(1) {
        for column in first(0)..=last(0) {
            let way = [column as f32 + 0.5 - from[0], row as f32 + 0.5 - from[1]];
            let share = ((way[0] * edge[0] + way[1] * edge[1]) / square).clamp(0.0, 1.0);
            let off = [way[0] - share * edge[0], way[1] - share * edge[1]];
            let distance = (off[0] * off[0] + off[1] * off[1]).sqrt();
            let covered = (0.5 + (radius - distance) / soft).clamp(0.0, 1.0);
            let pixel = &mut cover[row * SIZE + column];
            *pixel = pixel.max(covered);
        }
    }
}

/// The variants of each digit.
const VARIANTS: [&[&[Stroke]]; 10] =
    [&ZERO, &ONE, &TWO, &THREE, &FOUR, &FIVE, &SIX, &SEVEN, &EIGHT, &NINE];

/// Closed with an overlap, and with the ends just meeting.
const ZERO: [&[Stroke]; 2] = [
    &[&[
        [0.62, 0.03],
        [0.33, 0.06],
        [0.09, 0.32],
        [0.08, 0.66],
        [0.3, 0.96],
        [0.62, 0.95],
        [0.89, 0.66],
        [0.88, 0.3],
        [0.66, 0.05],
        [0.42, 0.06],
    ]],
    &[&[
        [0.5, 0.0],
        [0.16, 0.2],
        [0.05, 0.55],
        [0.24, 0.92],
        [0.55, 0.98],
        [0.86, 0.75],
        [0.93, 0.4],
        [0.77, 0.1],
        [0.5, 0.02],
    ]],
];

/// A mere line (twice, as it is the most frequent), with a flag, with flag and foot.
const ONE: [&[Stroke]; 4] = [
    &[&[[0.52, 0.0], [0.5, 0.5], [0.5, 1.0]]],
    &[&[[0.48, 0.0], [0.5, 0.35], [0.5, 1.0]]],
    &[&[[0.18, 0.26], [0.4, 0.12], [0.56, 0.0], [0.56, 0.0], [0.54, 0.5], [0.52, 1.0]]],
    &[
        &[[0.2, 0.24], [0.55, 0.0], [0.55, 0.0], [0.53, 0.5], [0.52, 0.98]],
        &[[0.16, 0.99], [0.5, 0.98], [0.9, 0.97]],
    ],
];

/// With a corner at the lower left, and with a loop there.
const TWO: [&[Stroke]; 2] = [
    &[&[
        [0.1, 0.25],
        [0.25, 0.06],
        [0.55, 0.0],
        [0.83, 0.18],
        [0.74, 0.44],
        [0.42, 0.73],
        [0.08, 0.97],
        [0.08, 0.97],
        [0.5, 0.95],
        [0.94, 0.94],
    ]],
    &[&[
        [0.12, 0.2],
        [0.4, 0.0],
        [0.78, 0.12],
        [0.8, 0.38],
        [0.54, 0.68],
        [0.2, 0.93],
        [0.06, 0.88],
        [0.18, 0.76],
        [0.42, 0.84],
        [0.66, 0.95],
        [0.96, 0.9],
    ]],
];

/// Round, and with a flat top.
const THREE: [&[Stroke]; 2] = [
    &[&[
        [0.12, 0.13],
        [0.42, 0.0],
        [0.79, 0.13],
        [0.72, 0.38],
        [0.38, 0.47],
        [0.38, 0.47],
        [0.76, 0.54],
        [0.88, 0.77],
        [0.6, 0.98],
        [0.27, 0.98],
        [0.06, 0.86],
    ]],
    &[&[
        [0.1, 0.05],
        [0.45, 0.03],
        [0.82, 0.02],
        [0.82, 0.02],
        [0.6, 0.22],
        [0.4, 0.42],
        [0.4, 0.42],
        [0.74, 0.47],
        [0.9, 0.72],
        [0.65, 0.97],
        [0.3, 1.0],
        [0.06, 0.88],
    ]],
];

/// Open with a corner, open and round, closed.
const FOUR: [&[Stroke]; 3] = [
    &[
        &[[0.22, 0.0], [0.14, 0.3], [0.07, 0.56], [0.07, 0.56], [0.5, 0.56], [0.97, 0.52]],
        &[[0.76, 0.05], [0.71, 0.5], [0.66, 1.0]],
    ],
    &[
        &[[0.14, 0.02], [0.08, 0.35], [0.32, 0.56], [0.8, 0.46]],
        &[[0.86, 0.0], [0.8, 0.5], [0.74, 1.0]],
    ],
    &[
        &[[0.62, 0.0], [0.32, 0.34], [0.03, 0.66], [0.03, 0.66], [0.5, 0.68], [0.98, 0.65]],
        &[[0.64, 0.02], [0.63, 0.5], [0.6, 1.0]],
    ],
];

/// In two strokes, and in one.
const FIVE: [&[Stroke]; 2] = [
    &[
        &[
            [0.25, 0.03],
            [0.21, 0.22],
            [0.18, 0.43],
            [0.18, 0.43],
            [0.47, 0.37],
            [0.82, 0.5],
            [0.86, 0.75],
            [0.6, 0.96],
            [0.3, 1.0],
            [0.06, 0.89],
        ],
        &[[0.25, 0.03], [0.55, 0.03], [0.9, 0.0]],
    ],
    &[&[
        [0.88, 0.02],
        [0.55, 0.03],
        [0.27, 0.05],
        [0.27, 0.05],
        [0.23, 0.23],
        [0.18, 0.42],
        [0.18, 0.42],
        [0.5, 0.38],
        [0.83, 0.53],
        [0.85, 0.76],
        [0.55, 0.98],
        [0.1, 0.92],
    ]],
];

/// With a straight and with a round back.
const SIX: [&[Stroke]; 2] = [
    &[&[
        [0.72, 0.0],
        [0.42, 0.2],
        [0.18, 0.5],
        [0.13, 0.78],
        [0.36, 0.98],
        [0.68, 0.95],
        [0.82, 0.75],
        [0.64, 0.56],
        [0.36, 0.61],
        [0.16, 0.8],
    ]],
    &[&[
        [0.6, 0.02],
        [0.26, 0.28],
        [0.1, 0.64],
        [0.25, 0.95],
        [0.6, 0.98],
        [0.86, 0.8],
        [0.78, 0.58],
        [0.5, 0.51],
        [0.17, 0.68],
    ]],
];

/// Plain, crossed, with a hook to begin with.
const SEVEN: [&[Stroke]; 3] = [
    &[&[
        [0.06, 0.09],
        [0.45, 0.06],
        [0.91, 0.04],
        [0.91, 0.04],
        [0.68, 0.38],
        [0.48, 0.7],
        [0.4, 1.0],
    ]],
    &[
        &[[0.06, 0.07], [0.45, 0.06], [0.91, 0.03], [0.91, 0.03], [0.66, 0.45], [0.42, 1.0]],
        &[[0.28, 0.52], [0.55, 0.49], [0.84, 0.47]],
    ],
    &[&[
        [0.07, 0.26],
        [0.1, 0.08],
        [0.1, 0.08],
        [0.5, 0.08],
        [0.92, 0.03],
        [0.92, 0.03],
        [0.62, 0.5],
        [0.46, 1.0],
    ]],
];

/// In one stroke, and as two circles.
const EIGHT: [&[Stroke]; 2] = [
    &[&[
        [0.76, 0.14],
        [0.5, 0.0],
        [0.2, 0.12],
        [0.26, 0.34],
        [0.54, 0.5],
        [0.82, 0.7],
        [0.74, 0.93],
        [0.45, 1.0],
        [0.14, 0.9],
        [0.2, 0.66],
        [0.5, 0.46],
        [0.76, 0.3],
        [0.74, 0.09],
    ]],
    &[
        &[[0.5, 0.46], [0.2, 0.28], [0.33, 0.03], [0.67, 0.03], [0.8, 0.26], [0.52, 0.47]],
        &[[0.5, 0.46], [0.13, 0.7], [0.28, 0.98], [0.72, 0.98], [0.87, 0.7], [0.52, 0.46]],
    ],
];

/// With a straight and with a round tail.
const NINE: [&[Stroke]; 2] = [
    &[&[
        [0.8, 0.16],
        [0.5, 0.0],
        [0.18, 0.14],
        [0.17, 0.4],
        [0.45, 0.52],
        [0.74, 0.38],
        [0.83, 0.1],
        [0.83, 0.1],
        [0.78, 0.5],
        [0.7, 1.0],
    ]],
    &[&[
        [0.8, 0.18],
        [0.52, 0.0],
        [0.19, 0.12],
        [0.16, 0.38],
        [0.44, 0.52],
        [0.74, 0.4],
        [0.84, 0.14],
        [0.85, 0.5],
        [0.72, 0.86],
        [0.42, 1.0],
        [0.15, 0.92],
    ]],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::checksum::sha256_of;

    #[test]
    fn digits_are_equally_frequent_and_mixed() {
        let (images, labels) = draw(1_000, 1);
        assert_eq!(images.dim(), (1_000, 28, 28, 1));
        for digit in 0..10 {
            assert_eq!(labels.iter().filter(|&&label| label == digit).count(), 100);
        }
        assert_ne!(labels[..10], (0..10).collect::<Vec<_>>()[..]);
        assert_ne!(draw(10, 0).0, draw(10, 1).0, "a stream draws others");
    }

    #[test]
    fn the_digits_are_the_same_on_every_machine() {
        let (images, labels) = draw(100, 0);
        let sum = sha256_of(images.as_slice().unwrap());
        assert_eq!((&sum[..16], &labels[..5]), ("247537755810b532", &[2, 7, 5, 3, 4][..]));
    }

    #[test]
    fn every_digit_is_inside_and_not_faint() {
        let (images, _) = draw(2_000, 2);
        for image in images.outer_iter() {
            let lit = image.iter().filter(|&&value| value > 127).count();
            assert!((15..300).contains(&lit), "{lit} bright pixels");
            let border = (0..SIZE).flat_map(|i| [[0, i], [SIZE - 1, i], [i, 0], [i, SIZE - 1]]);
            assert!(border.into_iter().all(|[row, column]| image[[row, column, 0]] < 200));
        }
    }
}
