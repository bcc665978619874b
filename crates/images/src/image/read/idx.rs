//! LeCun's idx: four bytes of magic (two zeros, the type, the number of dimensions), big-endian sizes, then the bytes.
//! Described on the page of MNIST, <http://yann.lecun.com/exdb/mnist/>.

use super::input::{Input, lower_name};
use crate::image::Images;
use ebmotion::Result;
use std::path::{Path, PathBuf};

/// The type byte of unsigned bytes, the only one that images and labels come in.
const UNSIGNED_BYTE: u8 = 0x08;

/// The files are told by a part of their name, which has no ending of its own.
pub(super) fn fits(name: &str) -> bool {
    name.contains("idx3")
}

/// Grey images, with the labels of the file beside.
pub(super) fn parse(input: &Input) -> Result<Images> {
    let (sizes, pixels) = array(input, 3)?;
    let mut images = input.images([1, sizes[1], sizes[2]], pixels.to_vec(), None)?;
    if let Some(beside) = labels_of(&input.path) {
        let file = Input::read(&beside)?;
        let (sizes, labels) = array(&file, 1)?;
        if sizes[0] != images.len() {
            let expected = format!("{}, one for each image of {}", images.len(), input.path.display());
            return Err(file.error(format!("{} labels", sizes[0]), expected));
        }
        images.labels = Some(labels.iter().map(|l| u32::from(*l)).collect());
        images.sources.push(file.source.clone());
    }
    Ok(images)
}

/// Sizes and contents of an array of `dimensions` dimensions.
fn array(input: &Input, dimensions: usize) -> Result<(Vec<usize>, &[u8])> {
    let bytes = &input.bytes;
    let header = 4 + 4 * dimensions;
    let expected = [0, 0, UNSIGNED_BYTE, dimensions as u8];
    match bytes.get(..4) {
        Some(magic) if magic == expected => {}
        Some(magic) => {
            let text = format!("{expected:?}: idx, unsigned bytes, {dimensions} dimensions");
            return Err(input.error(format!("{magic:?}"), text).at("byte 0"));
        }
        None => return Err(input.error(format!("{} bytes", bytes.len()), format!("a header of {header} bytes"))),
    }
    let Some(sizes) = bytes.get(4..header) else {
        return Err(input.error(format!("{} bytes", bytes.len()), format!("a header of {header} bytes")));
    };
    let size = |four: &[u8]| four.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let sizes: Vec<usize> = sizes.chunks_exact(4).map(size).collect();
    if let Some(i) = sizes.iter().position(|n| *n == 0) {
        return Err(input.error("a size of 0", "at least 1").at(format!("byte {}", 4 + 4 * i)));
    }
    let length = sizes.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
    let contents = &bytes[header..];
    if length != Some(contents.len()) {
        let shape: Vec<String> = sizes.iter().map(ToString::to_string).collect();
        let expected = format!("{} bytes, as the header says", shape.join(" x "));
        return Err(input.error(format!("{} bytes", contents.len()), expected).at(format!("after byte {header}")));
    }
    Ok((sizes, contents))
}

/// The file of labels beside `images`, where there is one: `train-images-idx3-ubyte` -> `train-labels-idx1-ubyte`, and
/// `small_28x28-idx3-ubyte` -> `small_labels-idx1-ubyte`; packed or not.
fn labels_of(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let at = lower_name(images).find("idx3")?;
    // Names of idx files are ASCII; others have no twin.
    let (head, tail) = (name.get(..at)?, name.get(at + 4..)?);
    let separators = ['-', '_', '.'];
    let word = head.trim_end_matches(separators);
    let begin = word.rfind(separators).map_or(0, |i| i + 1);
    let twin = format!("{}labels{}idx1{tail}", &word[..begin], &head[word.len()..]);
    let bare = twin.strip_suffix(".gz").unwrap_or(&twin);
    [twin.clone(), bare.to_string(), format!("{bare}.gz")]
        .iter()
        .map(|n| images.with_file_name(n))
        .find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_called_like_their_images() {
        let folder = tempfile::tempdir().expect("a folder");
        for (images, labels) in [
            ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
            ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
            ("small1_28x28-idx3-ubyte.gz", "small1_labels-idx1-ubyte"),
            ("images-idx3-ubyte", "labels-idx1-ubyte.gz"),
        ] {
            let (images, labels) = (folder.path().join(images), folder.path().join(labels));
            assert_eq!(labels_of(&images), None);
            std::fs::write(&labels, b"").expect("a file");
            assert_eq!(labels_of(&images), Some(labels.clone()));
            std::fs::remove_file(&labels).expect("a file");
        }
    }
}
