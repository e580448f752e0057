//! Colors for numbers: equal steps of a number look like equal steps of color.
//!
//! The scales are drawn in OKLab (Björn Ottosson, 2020), a space in which distances are about those
//! that the eye sees: lightness grows evenly, hue turns, and as much color is added as a screen can
//! show. Where lightness alone tells the order, color-blind readers and gray printers see it, too.

use std::sync::LazyLock;

const STEPS: usize = 256;

/// Which colors stand for which numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorScale {
    /// From dark violet (little) over red to light yellow (much).
    Heat,
    /// From blue (below zero) over nearly white (zero) to orange (above).
    Signed,
    /// From black to white.
    Gray,
}

static HEAT: LazyLock<Vec<[u8; 3]>> = LazyLock::new(|| even(heat));
static SIGNED: LazyLock<Vec<[u8; 3]>> = LazyLock::new(|| even(signed));

impl ColorScale {
    /// Red, green and blue of a number from 0 to 1; what lies outside has the color of the end.
    pub fn rgb(self, value: f64) -> [u8; 3] {
        let place = (value.clamp(0.0, 1.0) * (STEPS - 1) as f64).round() as usize;
        match self {
            ColorScale::Heat => HEAT[place],
            ColorScale::Signed => SIGNED[place],
            ColorScale::Gray => [place as u8; 3],
        }
    }
}

type Lab = [f64; 3];

fn heat(t: f64) -> Lab {
    // Violet, red, orange, yellow.
    let hue = (295.0 + 170.0 * t).to_radians();
    in_gamut(0.16 + 0.80 * t, 0.02 + 0.24 * (std::f64::consts::PI * t).sin().powf(0.8), hue)
}

fn signed(t: f64) -> Lab {
    let away = 2.0 * (t - 0.5);
    let hue = if away < 0.0 { 255.0f64 } else { 50.0 };
    in_gamut(0.96 - 0.44 * away.abs(), 0.17 * away.abs(), hue.to_radians())
}

/// The color of this lightness and hue, with as much of `chroma` as a screen can show.
fn in_gamut(lightness: f64, chroma: f64, hue: f64) -> Lab {
    let lab = |chroma: f64| [lightness, chroma * hue.cos(), chroma * hue.sin()];
    let shown = |lab: Lab| linear(lab).iter().all(|&value| (-1e-6..=1.0 + 1e-6).contains(&value));
    let (mut low, mut high) = (0.0, chroma);
    if shown(lab(chroma)) {
        return lab(chroma);
    }
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if shown(lab(middle)) { low = middle } else { high = middle }
    }
    lab(low)
}

/// A path through the colors, in steps that all look alike.
fn even(path: fn(f64) -> Lab) -> Vec<[u8; 3]> {
    const FINE: usize = 2048;
    let points: Vec<Lab> = (0..=FINE).map(|i| path(i as f64 / FINE as f64)).collect();
    let mut length = vec![0.0];
    for pair in points.windows(2) {
        length.push(length[length.len() - 1] + distance(pair[0], pair[1]));
    }
    let whole = length[FINE];
    (0..STEPS)
        .map(|step| {
            let wanted = whole * step as f64 / (STEPS - 1) as f64;
            let place = length.partition_point(|&at| at < wanted).min(FINE);
            bytes(points[place])
        })
        .collect()
}

fn distance(a: Lab, b: Lab) -> f64 {
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}

/// Red, green and blue as amounts of light.
fn linear([lightness, a, b]: Lab) -> [f64; 3] {
    let long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ]
}

fn bytes(lab: Lab) -> [u8; 3] {
    linear(lab).map(|light| {
        let light = light.clamp(0.0, 1.0);
        let value = if light <= 0.003_130_8 {
            12.92 * light
        } else {
            1.055 * light.powf(1.0 / 2.4) - 0.055
        };
        (255.0 * value).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light([r, g, b]: [u8; 3]) -> f64 {
        let linear = |value: u8| (f64::from(value) / 255.0).powf(2.2);
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    #[test]
    fn more_is_lighter_whatever_the_eye() {
        let lights: Vec<f64> =
            (0..=32).map(|i| light(ColorScale::Heat.rgb(f64::from(i) / 32.0))).collect();
        assert!(lights.windows(2).all(|pair| pair[1] > pair[0]), "{lights:?}");
        assert!(lights[0] < 0.02 && lights[32] > 0.8, "{lights:?}");
    }

    #[test]
    fn zero_of_a_signed_scale_is_nearly_white_and_its_ends_differ() {
        assert!(light(ColorScale::Signed.rgb(0.5)) > 0.85);
        let (low, high) = (ColorScale::Signed.rgb(0.0), ColorScale::Signed.rgb(1.0));
        assert!(low[2] > low[0] + 50 && high[0] > high[2] + 50, "{low:?} {high:?}");
    }

    #[test]
    fn steps_look_alike() {
        for path in [heat as fn(f64) -> Lab, signed] {
            let colors = even(path);
            let change = |pair: &[[u8; 3]]| -> f64 {
                (0..3).map(|i| (f64::from(pair[0][i]) - f64::from(pair[1][i])).abs()).sum()
            };
            let largest = colors.windows(2).map(change).fold(0.0, f64::max);
            assert!(largest <= 14.0, "a jump of {largest}");
        }
    }

    #[test]
    fn what_is_outside_has_the_color_of_the_end() {
        for scale in [ColorScale::Heat, ColorScale::Signed, ColorScale::Gray] {
            assert_eq!(scale.rgb(-3.0), scale.rgb(0.0));
            assert_eq!(scale.rgb(7.0), scale.rgb(1.0));
        }
    }
}
