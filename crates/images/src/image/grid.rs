//! Many images in one PNG, for a person to look at.

use super::Images;
use ebmotion::{Error, Result};
use ebmotion_logs::files;
use std::path::Path;

/// How images are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Images side by side; the last row may be shorter. At least 1.
    pub columns: usize,
    /// Empty pixels around each image.
    pub margin: usize,
    /// Each pixel becomes a square of this side. At least 1.
    pub scale: usize,
}

impl Layout {
    /// `columns` images side by side, two pixels around each, small images enlarged to about 64 pixels.
    pub fn of(images: &Images, columns: usize) -> Self {
        let [_, height, width] = images.shape();
        Self { columns, margin: 2, scale: (64 / height.max(width)).max(1) }
    }
}

/// Grey level of what is between the images: neither black nor white, so that their edges are seen.
const BETWEEN: u8 = 96;
/// A picture beyond this many pixels is a mistake.
const LARGEST: usize = 1 << 28;

/// Writes the images, row by row, as a PNG file: grey for one channel, colour for three.
///
/// # Errors
/// [`Error::Config`] for a layout out of range; [`Error::Data`] for images of two or more than three channels;
/// [`Error::Io`] when the file cannot be written.
pub fn write(path: &Path, images: &Images, layout: Layout) -> Result<()> {
    let bytes = encode(images, layout)?;
    files::write_bytes(path, &bytes)
}

/// The bytes of [`write()`]'s file.
///
/// # Errors
/// As [`write()`], but for the file.
pub fn encode(images: &Images, layout: Layout) -> Result<Vec<u8>> {
    let Layout { columns, margin, scale } = layout;
    let [channels, height, width] = images.shape();
    let color = match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        n => return Err(Error::data(format!("channels of the images `{}`", images.name), n, "1 or 3")),
    };
    if columns == 0 || scale == 0 {
        return Err(Error::config("layout of a grid", format!("{layout:?}"), "at least 1 column and scale 1"));
    }
    let columns = columns.min(images.len());
    let rows = images.len().div_ceil(columns);
    let pitch = |side: usize| side.saturating_mul(scale).saturating_add(margin);
    let wide = pitch(width).saturating_mul(columns).saturating_add(margin);
    let high = pitch(height).saturating_mul(rows).saturating_add(margin);
    if wide.saturating_mul(high) > LARGEST {
        let expected = format!("at most {LARGEST} pixels in all");
        return Err(Error::config("layout of a grid", format!("{wide} x {high} pixels"), expected));
    }
    let mut canvas = vec![BETWEEN; wide * high * channels];
    for i in 0..images.len() {
        let (top, left) = (margin + i / columns * pitch(height), margin + i % columns * pitch(width));
        let image = images.row(i);
        for y in 0..height * scale {
            for x in 0..width * scale {
                let at = ((top + y) * wide + left + x) * channels;
                for channel in 0..channels {
                    canvas[at + channel] = image[(channel * height + y / scale) * width + x / scale];
                }
            }
        }
    }
    let drawn = Error::unwritable("a grid of images", "PNG");
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, wide as u32, high as u32);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(&drawn)?;
    writer.write_image_data(&canvas).map_err(&drawn)?;
    writer.finish().map_err(&drawn)?;
    Ok(bytes)
}
