//! Figures as files.

use super::figure::Figure;
use super::theme::{Ink, Theme};
use crate::error::{Error, Result};
use crate::files::{expand_home, write_atomically};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Pixels of a PNG for each pixel of the page: crisp on high-density screens and in print.
const PNG_SCALE: f32 = 2.0;

/// The fonts that come with the library; the system's are not looked at.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    for font in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_data(font.to_vec());
    }
    Arc::new(fonts)
});

impl Figure {
    /// The figure as a PNG file's bytes, `scale` pixels for each of the page's.
    ///
    /// # Errors
    ///
    /// If `scale` is not above zero, or so large that there is no memory for the image.
    pub fn to_png(&self, theme: &Theme, scale: f32) -> Result<Vec<u8>> {
        let options = usvg::Options { fontdb: FONTS.clone(), ..Default::default() };
        let tree = usvg::Tree::from_str(&self.to_svg(theme), &options)
            .map_err(|error| Error::invalid("Figure::to_png", "an SVG", error.to_string(), ""))?;
        let size = tree.size();
        let pixels = |length: f32| (length * scale).ceil() as u32;
        let refused = || {
            let got = scale.to_string();
            Error::invalid("Figure::to_png", "a scale above 0, usually 1 to 4", got, "")
        };
        let mut pixmap = (scale > 0.0 && scale <= 16.0)
            .then(|| Pixmap::new(pixels(size.width()), pixels(size.height())))
            .flatten()
            .ok_or_else(refused)?;
        // Where the last row or column is only half a pixel, there is paper under it.
        let [red, green, blue] = theme.rgb(Ink::Paper);
        pixmap.fill(Color::from_rgba8(red, green, blue, 255));
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
        pixmap.encode_png().map_err(|_| refused())
    }

    /// Writes the figure to a file, in the light theme; the ending says how: `.svg` or `.png`.
    ///
    /// # Errors
    ///
    /// If the ending is another, or the file cannot be written. A file that was there before stays
    /// as it was until the new one is complete.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = &expand_home(path);
        let bytes = match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => self.to_svg(&Theme::light()).into_bytes(),
            Some("png") => self.to_png(&Theme::light(), PNG_SCALE)?,
            _ => {
                let got = format!("{:?}", path.display().to_string());
                return Err(Error::invalid(
                    "Figure::save",
                    "a name ending in .svg or .png",
                    got,
                    "",
                ));
            }
        };
        write_atomically(path, |file| file.write_all(&bytes)).map_err(|error| {
            Error::io(path, error, "Is there such a folder, and may you write to it?")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Caption, image_grid};
    use ndarray::Array3;

    fn figure() -> Figure {
        let image = Array3::from_shape_fn((2, 2, 1), |(y, x, _)| ((x + y) % 2 * 255) as u8);
        image_grid(&[image.into_shared()], &[Caption::new("board")], 1).unwrap()
    }

    #[test]
    fn enlarged_pixels_have_sharp_edges() {
        let png = figure().to_png(&Theme::light(), 1.0).unwrap();
        let image = image::load_from_memory(&png).unwrap().to_luma8();
        // The image is 168 pixels wide, 14 from the edge: two squares with nothing between.
        let row: Vec<u8> = (15..181).map(|x| image.get_pixel(x, 40)[0]).collect();
        assert!(row.iter().all(|&value| value == 0 || value == 255), "{row:?}");
        assert_eq!(row.windows(2).filter(|pair| pair[0] != pair[1]).count(), 1);
    }

    #[test]
    fn text_is_drawn_with_the_library_s_own_font() {
        let png = figure().to_png(&Theme::dark(), 1.0).unwrap();
        let image = image::load_from_memory(&png).unwrap().to_luma8();
        let brightest = (182..198).flat_map(|y| (60..140).map(move |x| (x, y)));
        let brightest = brightest.map(|(x, y)| image.get_pixel(x, y)[0]).max().unwrap();
        assert!(brightest > 150, "a caption under the image, not {brightest}");
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        figure().save(folder.path().join("a.svg")).unwrap();
        figure().save(folder.path().join("a.png")).unwrap();
        assert!(
            figure().save(folder.path().join("a.jpg")).unwrap_err().to_string().contains(".png")
        );
        assert!(figure().save(folder.path().join("no/folder/a.png")).is_err());
        assert!(figure().to_png(&Theme::light(), 0.0).is_err());
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing half-made is left");
    }
}
