//! The built-in shapes: ten classes, drawn by the library.
//!
//! Position, size, rotation, colors and background of every image are random, and the shape may be lighter
//! or darker than its background. Single pixels say little about the class, so a network has to find edges
//! and corners. Drawing uses only arithmetic that is exact on every machine (no sines), so the images are
//! always the same.

use crate::runtime::seed::{below, uniform};
use ndarray::Array4;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The names of the classes.
pub(crate) const CLASSES: [&str; 10] = [
    "circle",
    "ring",
    "square",
    "triangle",
    "star",
    "cross",
    "heart",
    "crescent",
    "arrow",
    "lightning",
];

/// The images' width and height.
const SIZE: usize = 32;

/// The seed is fixed, so that the sample is always the same.
const SEED: u64 = 0x7463_6861_6c6b;

/// `count` images `u8 [count, 32, 32, 3]` and their labels, with the classes equally frequent and
/// in random order. Another `stream` gives others of the same kind.
pub(crate) fn draw(count: usize, stream: u64) -> (Array4<u8>, Vec<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    rng.set_stream(stream);
    let mut labels: Vec<usize> = (0..count).map(|i| i % CLASSES.len()).collect();
    crate::runtime::seed::shuffle(&mut labels, &mut rng);
    let pixels = labels.iter().flat_map(|&label| image(label, &mut rng)).collect();
    let images =
        Array4::from_shape_vec((count, SIZE, SIZE, 3), pixels).expect("every image has one size");
    (images, labels)
}

type Point = [f32; 2];
type Color = [f32; 3];

/// One image, row by row.
fn image(label: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let (shape_color, ground, far_ground) = colors(rng);
    let radius = uniform(8.5, 13.5, rng);
    let room = (SIZE as f32 / 2.0 - radius).max(0.0) * 0.8;
    let middle = SIZE as f32 / 2.0;
    let center = [middle + uniform(-room, room, rng), middle + uniform(-room, room, rng)];
    let (cos, sin) = random_rotation(label, rng);
    let shade = [uniform(-0.25, 0.25, rng), uniform(-0.25, 0.25, rng)];
    let slope = [uniform(-1.0, 1.0, rng), uniform(-1.0, 1.0, rng)];
    let dots: Vec<(Point, f32, Color)> = (0..below(4, rng))
        .map(|_| {
            let size = SIZE as f32;
            let point = [uniform(0.0, size, rng), uniform(0.0, size, rng)];
            let color = mix(ground, shape_color, uniform(0.15, 0.5, rng));
            (point, uniform(1.0, 2.6, rng), color)
        })
        .collect();
    let mut pixels = Vec::with_capacity(SIZE * SIZE * 3);
    for row in 0..SIZE {
        for column in 0..SIZE {
            let point = [column as f32 + 0.5, row as f32 + 0.5];
            let along = (point[0] - middle) * slope[0] + (point[1] - middle) * slope[1];
            let mut color = mix(ground, far_ground, (0.5 + along / SIZE as f32).clamp(0.0, 1.0));
            for &(dot, size, dot_color) in &dots {
                let distance = length([point[0] - dot[0], point[1] - dot[1]]) - size;
                color = mix(color, dot_color, coverage(distance));
            }
            // The coordinates relative to the shape: not rotated, with radius 1.
            let from = [(point[0] - center[0]) / radius, (point[1] - center[1]) / radius];
            let inside = [cos * from[0] + sin * from[1], cos * from[1] - sin * from[0]];
            let light = 1.0 + shade[0] * inside[0] + shade[1] * inside[1];
            let lit = shape_color.map(|channel| channel * light);
            color = mix(color, lit, coverage(distance(label, inside) * radius));
            let grain = uniform(-0.02, 0.02, rng);
            pixels.extend(
                color.map(|channel| ((channel + grain).clamp(0.0, 1.0) * 255.0 + 0.5) as u8),
            );
        }
    }
    pixels
}

/// A color for the shape, and two for the background. They differ clearly in brightness, and in four
/// of five images the shape is the lighter one.
fn colors(rng: &mut ChaCha8Rng) -> (Color, Color, Color) {
    let lighter = below(5, rng) < 4;
    loop {
        let any = |rng: &mut ChaCha8Rng| {
            hsv(uniform(0.0, 6.0, rng), uniform(0.25, 0.85, rng), uniform(0.25, 1.0, rng))
        };
        let (shape, ground) = (any(rng), any(rng));
        let (shape, ground) = if lighter == (brightness(shape) > brightness(ground)) {
            (shape, ground)
        } else {
            (ground, shape)
        };
        if (brightness(shape) - brightness(ground)).abs() > 0.25 {
            return (shape, ground, mix(ground, any(rng), 0.35));
        }
    }
}

fn brightness([red, green, blue]: Color) -> f32 {
    0.3 * red + 0.59 * green + 0.11 * blue
}

/// Hue from 0 to 6, saturation and value from 0 to 1.
fn hsv(hue: f32, saturation: f32, value: f32) -> Color {
    [0.0f32, 4.0, 2.0].map(|offset| {
        let position = (hue + offset) % 6.0;
        let share = ((position - 3.0).abs() - 1.0).clamp(0.0, 1.0);
        value * (1.0 - saturation + saturation * share)
    })
}

fn mix(a: Color, b: Color, share: f32) -> Color {
    [0, 1, 2].map(|channel| a[channel] + (b[channel] - a[channel]) * share)
}

/// Cosine and sine of a random angle: any angle for shapes without a top, up to 30° for the others.
/// Computed from the tangent of half the angle, without trigonometry.
fn random_rotation(label: usize, rng: &mut ChaCha8Rng) -> (f32, f32) {
    let freely = matches!(CLASSES[label], "circle" | "ring" | "crescent" | "arrow");
    let most = if freely { 0.414_213_56 } else { 0.267_949_2 };
    let half = uniform(-most, most, rng);
    let (cos, sin) = ((1.0 - half * half) / (1.0 + half * half), 2.0 * half / (1.0 + half * half));
    match if freely { below(4, rng) } else { 0 } {
        0 => (cos, sin),
        1 => (-sin, cos),
        2 => (-cos, -sin),
        _ => (sin, -cos),
    }
}

/// The fraction of a pixel that is covered, by its signed distance in pixels from the outline.
fn coverage(distance: f32) -> f32 {
    (0.5 - distance).clamp(0.0, 1.0)
}

fn length([x, y]: Point) -> f32 {
    (x * x + y * y).sqrt()
}

/// The signed distance from the outline of a shape of radius 1, negative inside; y points down.
fn distance(label: usize, at: Point) -> f32 {
    match CLASSES[label] {
        "circle" => length(at) - 0.85,
        "ring" => (length(at) - 0.68).abs() - 0.22,
        "crescent" => (length(at) - 0.95).max(0.85 - length([at[0] - 0.45, at[1]])),
        "square" => polygon(&[[-0.75, -0.75], [0.75, -0.75], [0.75, 0.75], [-0.75, 0.75]], at),
        "triangle" => polygon(&[[0.0, -0.95], [0.95, 0.72], [-0.95, 0.72]], at),
        "star" => polygon(&STAR, at),
        "cross" => polygon(&CROSS, at),
        "heart" => heart(at),
        "arrow" => polygon(&ARROW, at),
        _ => polygon(&LIGHTNING, at),
    }
}

/// Five points: sines and cosines of the multiples of 36°, the inner ones times 0.42.
const STAR: [Point; 10] = [
    [0.0, -1.0],
    [0.246_87, -0.339_787],
    [0.951_057, -0.309_017],
    [0.399_444, 0.129_787],
    [0.587_785, 0.809_017],
    [0.0, 0.42],
    [-0.587_785, 0.809_017],
    [-0.399_444, 0.129_787],
    [-0.951_057, -0.309_017],
    [-0.246_87, -0.339_787],
];

const CROSS: [Point; 12] = [
    [-0.3, -0.95],
    [0.3, -0.95],
    [0.3, -0.3],
    [0.95, -0.3],
    [0.95, 0.3],
    [0.3, 0.3],
    [0.3, 0.95],
    [-0.3, 0.95],
    [-0.3, 0.3],
    [-0.95, 0.3],
    [-0.95, -0.3],
    [-0.3, -0.3],
];

const ARROW: [Point; 7] =
    [[1.0, 0.0], [0.1, 0.8], [0.1, 0.3], [-0.95, 0.3], [-0.95, -0.3], [0.1, -0.3], [0.1, -0.8]];

const LIGHTNING: [Point; 6] =
    [[0.25, -1.0], [-0.6, 0.2], [-0.1, 0.2], [-0.3, 1.0], [0.6, -0.25], [0.1, -0.25]];

/// Two circles over a polygon whose sides touch them.
fn heart([x, y]: Point) -> f32 {
    let x = x.abs();
    let lobe = length([x - 0.43, y + 0.35]) - 0.5;
    let tip =
        polygon(&[[-0.79, 0.0], [-0.43, -0.45], [0.43, -0.45], [0.79, 0.0], [0.0, 0.92]], [x, y]);
    lobe.min(tip)
}

/// The signed distance from a polygon: the nearest edge, and whether a ray from the point crosses
/// the outline an odd number of times.
fn polygon(corners: &[Point], at: Point) -> f32 {
    let (mut nearest, mut inside) = (f32::INFINITY, false);
    let mut from = corners[corners.len() - 1];
    for &to in corners {
        let (edge, way) = ([to[0] - from[0], to[1] - from[1]], [at[0] - from[0], at[1] - from[1]]);
        let share = (way[0] * edge[0] + way[1] * edge[1]) / (edge[0] * edge[0] + edge[1] * edge[1]);
        let share = share.clamp(0.0, 1.0);
        nearest = nearest.min(length([way[0] - share * edge[0], way[1] - share * edge[1]]));
        if (from[1] > at[1]) != (to[1] > at[1]) && way[0] < edge[0] * way[1] / edge[1] {
            inside = !inside;
        }
        from = to;
    }
    if inside { -nearest } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::checksum::sha256_of;

    #[test]
    fn classes_are_equally_frequent_and_mixed() {
        let (images, labels) = draw(1_000, 1);
        assert_eq!(images.dim(), (1_000, 32, 32, 3));
        for class in 0..CLASSES.len() {
            assert_eq!(labels.iter().filter(|&&label| label == class).count(), 100);
        }
        assert_ne!(labels[..10], (0..10).collect::<Vec<_>>()[..]);
    }

    #[test]
    fn the_images_are_the_same_on_every_machine() {
        let (images, labels) = draw(100, 0);
        let sum = sha256_of(images.as_slice().unwrap());
        assert_eq!((&sum[..16], &labels[..5]), ("b5838f5604ff0bb6", &[3, 1, 2, 0, 8][..]));
    }

    #[test]
    fn another_stream_gives_other_images() {
        assert_ne!(draw(10, 0).0, draw(10, 1).0);
    }

    #[test]
    fn distances_have_the_right_sign() {
        for (label, name) in CLASSES.iter().enumerate() {
            let inside = match *name {
                "ring" => [0.68, 0.0],
                "crescent" => [-0.7, 0.0],
                _ => [0.0, 0.0],
            };
            assert!(distance(label, inside) < 0.0, "{name}");
            assert!(distance(label, [1.4, 1.4]) > 0.3, "{name}");
        }
        let square = CLASSES.iter().position(|&name| name == "square").unwrap();
        assert!((distance(square, [1.75, 0.0]) - 1.0).abs() < 1e-6);
        assert!((distance(square, [0.25, 0.0]) + 0.5).abs() < 1e-6);
    }
}
