//! The colors of all figures, for light and for dark pages.

/// How many classes have a color of their own; more start again from the first.
pub(super) const CLASS_COLORS: usize = 10;

/// What a color is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Behind everything.
    Paper,
    /// Titles and captions.
    Text,
    /// Tick labels and what is said on the side.
    Quiet,
    /// Axes and grid lines.
    Rule,
    /// Right answers.
    Right,
    /// Wrong answers.
    Wrong,
    /// A class, or a line among several.
    Class(usize),
}

/// The colors of a figure.
///
/// The class colors are Petroff's sequence of ten (*Accessible Color Sequences for Data
/// Visualization*, 2021), chosen to stay apart under the usual kinds of color blindness and in gray
/// print; the darkest of them are lightened for dark pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme(&'static Palette);

#[derive(Debug, PartialEq, Eq)]
struct Palette {
    paper: &'static str,
    text: &'static str,
    quiet: &'static str,
    rule: &'static str,
    right: &'static str,
    wrong: &'static str,
    classes: [&'static str; CLASS_COLORS],
}

const LIGHT: Palette = Palette {
    paper: "#ffffff",
    text: "#1f2328",
    quiet: "#59636e",
    rule: "#d8dde3",
    right: "#1a6b3c",
    wrong: "#b42318",
    classes: [
        "#3f90da", "#bd1f01", "#ffa90e", "#832db6", "#94a4a2", "#a96b59", "#e76300", "#b9ac70",
        "#717581", "#92dadd",
    ],
};

const DARK: Palette = Palette {
    paper: "#16181c",
    text: "#e6e9ed",
    quiet: "#9da7b3",
    rule: "#383e46",
    right: "#63c98a",
    wrong: "#ff8a7d",
    classes: [
        "#4a9be6", "#d9391b", "#ffb52e", "#9a48cc", "#9fb0ae", "#b87a66", "#f57718", "#c9bd85",
        "#7c8191", "#a4e4e7",
    ],
};

impl Theme {
    /// Dark on white, for paper and light pages.
    pub fn light() -> Theme {
        Theme(&LIGHT)
    }

    /// Light on dark.
    pub fn dark() -> Theme {
        Theme(&DARK)
    }

    fn color(&self, ink: Ink) -> &'static str {
        match ink {
            Ink::Paper => self.0.paper,
            Ink::Text => self.0.text,
            Ink::Quiet => self.0.quiet,
            Ink::Rule => self.0.rule,
            Ink::Right => self.0.right,
            Ink::Wrong => self.0.wrong,
            Ink::Class(n) => self.0.classes[n % CLASS_COLORS],
        }
    }
}

impl Theme {
    /// Red, green and blue of a color, for images.
    pub(super) fn rgb(&self, ink: Ink) -> [u8; 3] {
        let color = self.color(ink);
        [1, 3, 5].map(|at| u8::from_str_radix(&color[at..at + 2], 16).expect("two digits"))
    }
}

/// How colors are written: fixed, or so that they follow the page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paint {
    Fixed(Theme),
    FollowsPage,
}

impl Paint {
    pub(super) fn color(self, ink: Ink) -> String {
        match self {
            Paint::Fixed(theme) => theme.color(ink).to_owned(),
            Paint::FollowsPage => {
                format!("var(--tk-{}, {})", name(ink), Theme::light().color(ink))
            }
        }
    }
}

fn name(ink: Ink) -> String {
    match ink {
        Ink::Class(n) => format!("c{}", n % CLASS_COLORS),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The style sheet that gives a figure on a page the colors of the page's theme: JupyterLab,
/// Notebook and exported pages, VS Code, Colab, and else what the system prefers.
pub(super) fn style_sheet() -> String {
    let variables = |theme: Theme| {
        let named = [Ink::Paper, Ink::Text, Ink::Quiet, Ink::Rule, Ink::Right, Ink::Wrong];
        let classes = (0..CLASS_COLORS).map(Ink::Class);
        let list = named.into_iter().chain(classes);
        list.map(|ink| format!("--tk-{}:{};", name(ink), theme.color(ink))).collect::<String>()
    };
    let dark = variables(Theme::dark());
    format!(
        ".tchalk-figure{{{light}}}\
         .tchalk-figure .tk-more{{visibility:hidden}}\
         .tchalk-figure .tk-spot circle{{fill:none;pointer-events:all}}\
         .tchalk-figure .tk-spot:hover circle{{stroke:var(--tk-text);stroke-width:1.5px}}\
         .tchalk-figure .tk-spot:hover .tk-more{{visibility:visible}}\
         [data-jp-theme-light=\"false\"] .tchalk-figure,.vscode-dark .tchalk-figure,\
         html[theme=\"dark\"] .tchalk-figure{{{dark}}}\
         @media (prefers-color-scheme:dark){{\
         html:not([theme]) body:not([data-jp-theme-light]):not(.vscode-light) .tchalk-figure{{{dark}}}}}",
        light = variables(Theme::light()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(color: &str) -> [f64; 3] {
        [1, 3, 5].map(|at| {
            let value = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn luminance(color: &str) -> f64 {
        let [r, g, b] = linear(color);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// CIELAB, for distances as the eye sees them.
    fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
        let f = |t: f64| if t > 0.008856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
        let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn text_can_be_read_on_both_papers() {
        for theme in [Theme::light(), Theme::dark()] {
            for ink in [Ink::Text, Ink::Quiet, Ink::Right, Ink::Wrong] {
                let contrast = contrast(theme.color(ink), theme.0.paper);
                assert!(contrast >= 4.5, "{ink:?} on {}: {contrast:.1}", theme.0.paper);
            }
        }
    }

    /// The matrices are those of Machado, Oliveira and Fernandes (2009) for full severity.
    #[test]
    fn class_colors_stay_apart_for_color_blind_eyes() {
        let normal = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let protanopia = [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ];
        let deuteranopia = [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ];
        for theme in [Theme::light(), Theme::dark()] {
            for eye in [normal, protanopia, deuteranopia] {
                let seen = theme.0.classes.map(|color| {
                    let rgb = linear(color);
                    lab(eye.map(|row: [f64; 3]| {
                        (0..3).map(|i| row[i] * rgb[i]).sum::<f64>().clamp(0.0, 1.0)
                    }))
                });
                for (i, a) in seen.iter().enumerate() {
                    for (j, b) in seen.iter().enumerate().skip(i + 1) {
                        let distance = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt();
                        assert!(distance > 12.0, "classes {i} and {j}: {distance:.1} in {eye:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn colors_follow_the_page_and_fall_back_to_light() {
        assert_eq!(Paint::FollowsPage.color(Ink::Class(11)), "var(--tk-c1, #bd1f01)");
        assert_eq!(Paint::Fixed(Theme::dark()).color(Ink::Paper), "#16181c");
        assert!(style_sheet().contains("--tk-c9:"));
    }
}
