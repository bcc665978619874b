//! Sets of images: every format, and every way in which a file can be wrong.
#![allow(clippy::unwrap_used)]

mod folders;
mod formats;
mod grids;
mod known;
#[cfg(feature = "parquet")]
mod parquet;
mod pictures;

use ebmotion::{Error, Result};
use ebmotion_images::image::Images;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that `tests/data/images/make.py` made.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/images").join(name)
}

#[derive(Deserialize)]
struct Expected {
    shape: [usize; 3],
    pixels: Vec<u8>,
}

/// What the writer of `name` put into it.
fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(golden("expected.json")).unwrap();
    let mut all: BTreeMap<String, Expected> = serde_json::from_str(&text).unwrap();
    all.remove(name).unwrap()
}

#[track_caller]
fn holds(images: &Images, expected: &Expected) {
    assert_eq!(images.shape(), expected.shape);
    assert_eq!(images.pixels(), expected.pixels);
}

/// The reader refuses `path` as bad input, with all of `parts` in its message, the file's name first.
#[track_caller]
fn refused(result: Result<Images>, path: &Path, parts: &[&str]) {
    let error = result.expect_err("bad input");
    assert!(matches!(error, Error::Image { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    for part in [&[path.to_str().unwrap()], parts].concat() {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

fn write(path: &Path, bytes: &[u8]) -> PathBuf {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// An idx file of unsigned bytes.
fn idx(sizes: &[u32], contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
    bytes.extend_from_slice(contents);
    bytes
}

/// Reads a set that lies beside the project, see `tests/data/README.md`. Tests that need one are ignored unless asked
/// for.
fn beside(path: &str) -> Images {
    Images::read(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).join(path)).unwrap()
}
