//! Color scales: equal steps of a number look like equal steps of color.
//!
//! The colors were chosen in OKLab (Björn Ottosson, 2020), a space in which distances are about
//! those that the eye sees. The lightness of [`ColorScale::Heat`] grows evenly, so that color-blind
//! readers and gray printers see the order, too.

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

/// Colors at equal steps from 0 to 1, as `0xrrggbb`.
const HEAT: [u32; 17] = [
    0x0e0c15, 0x1d0a30, 0x340147, 0x4f0054, 0x6b005a, 0x89005a, 0xa60055, 0xc30049, 0xdf0031,
    0xf12a00, 0xf25a00, 0xf77b00, 0xfe9800, 0xffb636, 0xf8d075, 0xf3e6ae, 0xf3f3e4,
];
const SIGNED: [u32; 17] = [
    0x0267c7, 0x3279ce, 0x508bd5, 0x6c9cdb, 0x86aee0, 0xa1bfe5, 0xbbd0ea, 0xd6e1ee, 0xf1f1f2,
    0xecdcd4, 0xe6c7b6, 0xdfb198, 0xd79c7b, 0xcf865d, 0xc6703c, 0xbc590c, 0xa54b00,
];

impl ColorScale {
    /// Red, green and blue of a number from 0 to 1; what lies outside has the color of the end.
    pub fn rgb(self, value: f64) -> [u8; 3] {
        let value = value.clamp(0.0, 1.0);
        match self {
            ColorScale::Heat => interpolated(&HEAT, value),
            ColorScale::Signed => interpolated(&SIGNED, value),
            ColorScale::Gray => [(255.0 * value).round() as u8; 3],
        }
    }
}

/// The color between the two nearest ones.
fn interpolated(colors: &[u32; 17], value: f64) -> [u8; 3] {
    let position = value * (colors.len() - 1) as f64;
    let first = (position as usize).min(colors.len() - 2);
    let [low, high] = [first, first + 1].map(|i| colors[i].to_be_bytes());
    [1, 2, 3].map(|channel| {
        let (low, high) = (f64::from(low[channel]), f64::from(high[channel]));
        (low + (high - low) * (position - first as f64)).round() as u8
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
        for scale in [ColorScale::Heat, ColorScale::Signed] {
            let colors: Vec<[u8; 3]> = (0..=255).map(|i| scale.rgb(f64::from(i) / 255.0)).collect();
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
