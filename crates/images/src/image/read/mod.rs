//! From files to [`Images`]. A new format is one file and one row in the table of formats.

mod cifar;
mod folder;
mod idx;
mod input;
mod npz;
#[cfg(feature = "parquet")]
mod parquet;
mod picture;

use super::Images;
use ebmotion::{Error, Result};
use input::{Input, lower_name};
use std::path::{Path, PathBuf};

/// One row per format of files that hold many images: how its files are called (in lower case, without `.gz`) and its
/// parser. Folders of pictures are read by `folder`.
const FORMATS: &[Format] = &[
    Format { what: "idx (`NAME-idx3-ubyte`)", fits: idx::fits, parse: idx::parse },
    Format { what: "CIFAR's binary format (`.bin`)", fits: |name| name.ends_with(".bin"), parse: cifar::parse },
    Format { what: "Parquet (`.parquet`)", fits: |name| name.ends_with(".parquet"), parse: parquet_if_built },
    Format { what: "a numpy archive (`.npz`)", fits: |name| name.ends_with(".npz"), parse: npz::parse },
];

struct Format {
    what: &'static str,
    fits: fn(&str) -> bool,
    parse: fn(&Input) -> Result<Images>,
}

impl Images {
    /// Reads a file of images, or a folder of PNG or JPEG files.
    ///
    /// The format is told by the name, also with `.gz`:
    /// - `NAME-idx3-ubyte` (LeCun's idx, as of MNIST): grey images; labels from the file beside it that is called the same
    ///   with `labels-idx1` for `images-idx3` (or for the last word before `idx3`), where it is there;
    /// - `.bin`: CIFAR-10's or CIFAR-100's binary records (of CIFAR-100 the fine labels);
    /// - `.parquet` (feature `parquet`): a column `image` or `img` of PNG or JPEG bytes, or of structs with `bytes`;
    ///   labels from the integer column `label` or `fine_label`, where there is one;
    /// - `.npz`: arrays `data` (`(N, 3 S S)` bytes, channel by channel) and `labels` (`(N,)` integers), as of the
    ///   downsampled ImageNet; labels that begin at 1 there are counted from 0;
    /// - a folder: its PNG and JPEG files, or those of its subfolders, each a class. Subfolders and files are taken in
    ///   the order of their names.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be read; [`Error::Image`] with file and place for a format that is not known, a
    /// file that is damaged, cut short or too long, images of different shapes, transparency or more than 8 bits a
    /// channel, labels that are missing, out of range or of another number than the images.
    pub fn read(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return folder::read(path);
        }
        let name = lower_name(path);
        let inner = name.strip_suffix(".gz").unwrap_or(&name);
        if picture::fits(inner) {
            return folder::one(path);
        }
        let Some(format) = FORMATS.iter().find(|f| (f.fits)(inner)) else {
            let known: Vec<&str> = FORMATS.iter().map(|f| f.what).collect();
            let expected = format!("{}, PNG, JPEG, or a folder of PNG or JPEG files", known.join(", "));
            return Err(Error::image(path, "a file of an unknown kind", expected));
        };
        (format.parse)(&Input::read(path)?)
    }

    /// Reads several files of one set, in their order.
    ///
    /// # Errors
    /// As [`Images::read`]; also for no file, files whose images differ in shape, or of which only some have labels.
    pub fn read_all(paths: &[PathBuf]) -> Result<Self> {
        let (first, others) =
            paths.split_first().ok_or_else(|| Error::data("files of images", "none", "at least one"))?;
        let mut all = Self::read(first)?;
        for path in others {
            let mut next = Self::read(path)?;
            if next.shape != all.shape {
                let expected = format!("{:?}, as in {}", all.shape, first.display());
                return Err(Error::image(path, format!("images of shape {:?}", next.shape), expected));
            }
            match (&mut all.labels, &mut next.labels) {
                (Some(labels), Some(more)) => labels.append(more),
                (None, None) => {}
                (Some(_), None) => {
                    return Err(Error::image(path, "no labels", format!("labels, as in {}", first.display())));
                }
                (None, Some(_)) => {
                    return Err(Error::image(path, "labels", format!("none, as in {}", first.display())));
                }
            }
            if next.classes != all.classes {
                let expected = format!("{:?}, as in {}", all.classes, first.display());
                return Err(Error::image(path, format!("classes {:?}", next.classes), expected));
            }
            all.pixels.append(&mut next.pixels);
            all.sources.append(&mut next.sources);
        }
        Ok(all)
    }
}

#[cfg(feature = "parquet")]
use self::parquet::parse as parquet_if_built;

#[cfg(not(feature = "parquet"))]
fn parquet_if_built(input: &Input) -> Result<Images> {
    Err(input.error("a Parquet file", "a build of ebmotion with the feature `parquet`, or another format"))
}
