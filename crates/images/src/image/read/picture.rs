//! One PNG or JPEG file: `[C, H, W]` and its bytes, channel by channel.

use ebmotion::{Error, Result};
use std::io::Cursor;
use std::path::Path;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

/// More pixels than this a side is no picture for a network but a mistake.
const LARGEST_SIDE: usize = 8192;

/// A decoded picture.
pub(super) struct Picture {
    pub(super) shape: [usize; 3],
    /// `(C, H, W)`, row-major.
    pub(super) pixels: Vec<u8>,
}

/// True for the names of pictures.
pub(super) fn fits(lower_name: &str) -> bool {
    [".png", ".jpg", ".jpeg"].iter().any(|e| lower_name.ends_with(e))
}

/// Decodes by what the bytes are, whatever the file is called. `path` and `place` are for messages.
pub(super) fn decode(bytes: &[u8], path: &Path, place: Option<&str>) -> Result<Picture> {
    let result = match bytes {
        [0x89, b'P', b'N', b'G', ..] => png(bytes),
        [0xff, 0xd8, ..] => jpeg(bytes),
        [] => Err(("no bytes".to_string(), "a PNG or JPEG picture")),
        _ => Err((format!("bytes that begin with {:02x?}", &bytes[..bytes.len().min(4)]), "a PNG or JPEG picture")),
    };
    result.map_err(|(found, expected)| {
        let error = Error::image(path, found, expected);
        match place {
            Some(place) => error.at(place),
            None => error,
        }
    })
}

type Decoded = std::result::Result<Picture, (String, &'static str)>;

fn png(bytes: &[u8]) -> Decoded {
    let damaged = |e: png::DecodingError| (format!("a damaged PNG ({e})"), "a whole PNG picture");
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    // Palettes and fewer bits become the bytes they stand for; nothing is lost by that.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (info_width, info_height) = (reader.info().width as usize, reader.info().height as usize);
    check_side(info_width, info_height)?;
    let (color, depth) = reader.output_color_type();
    if depth != png::BitDepth::Eight {
        return Err((format!("{} bits a channel", depth as u8), "8 bits a channel"));
    }
    let Some(size) = reader.output_buffer_size() else {
        return Err(("a size beyond this machine's".into(), "a smaller picture"));
    };
    let mut interleaved = vec![0; size];
    reader.next_frame(&mut interleaved).map_err(damaged)?;
    let (channels, alpha) = match color {
        png::ColorType::Grayscale => (1, false),
        png::ColorType::GrayscaleAlpha => (1, true),
        png::ColorType::Rgb => (3, false),
        _ => (3, true),
    };
    let stride = channels + usize::from(alpha);
    if alpha && interleaved.chunks_exact(stride).any(|p| p[channels] != 255) {
        return Err(("transparent pixels".into(), "opaque ones: the background is not known"));
    }
    Ok(planes(&interleaved, [channels, info_height, info_width], stride))
}

fn jpeg(bytes: &[u8]) -> Decoded {
    let damaged = |e: zune_jpeg::errors::DecodeErrors| (format!("a damaged JPEG ({e})"), "a whole JPEG picture");
    let options = DecoderOptions::default().set_strict_mode(true);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let Some((width, height)) = decoder.dimensions() else {
        return Err(("a JPEG without a size".into(), "a whole JPEG picture"));
    };
    check_side(width, height)?;
    let (channels, color) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (1, ColorSpace::Luma),
        Some(ColorSpace::YCbCr | ColorSpace::RGB) => (3, ColorSpace::RGB),
        other => return Err((format!("colours {other:?}"), "grey or red, green and blue")),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(color));
    let interleaved = decoder.decode().map_err(damaged)?;
    if interleaved.len() != channels * width * height {
        return Err((format!("{} bytes", interleaved.len()), "a byte a channel and pixel"));
    }
    Ok(planes(&interleaved, [channels, height, width], channels))
}

fn check_side(width: usize, height: usize) -> std::result::Result<(), (String, &'static str)> {
    match width.max(height) > LARGEST_SIDE || width.min(height) == 0 {
        true => Err((format!("{width} x {height} pixels"), "1 to 8192 pixels a side")),
        false => Ok(()),
    }
}

/// Pixel by pixel -> channel by channel; what `stride` holds beyond the channels is left out.
fn planes(interleaved: &[u8], shape: [usize; 3], stride: usize) -> Picture {
    let mut pixels = Vec::with_capacity(shape.iter().product());
    for channel in 0..shape[0] {
        pixels.extend(interleaved.chunks_exact(stride).map(|p| p[channel]));
    }
    Picture { shape, pixels }
}
