//! A set of images.

use ebmotion::{Error, Result};
use ebmotion_logs::files::{self, FileRecord};

/// A set of images of one shape, with a label each or none at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// What the set is called in results: the known set's name and part, or the path as given.
    pub name: String,
    pub(super) shape: [usize; 3],
    /// `(N, C, H, W)`, row-major.
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Option<Vec<u32>>,
    /// Names of the labels, where the files have names (class folders); label `i` is called `classes[i]`.
    pub classes: Vec<String>,
    /// The files read; none for images that were made.
    pub sources: Vec<FileRecord>,
}

impl Images {
    /// A set of `pixels` `(N, C, H, W)`, row-major, 0 black and 255 white, of shape `[C, H, W]`.
    ///
    /// # Errors
    /// [`Error::Data`] for an empty shape, pixels that are no whole number of images (or none), or another number of
    /// labels than of images.
    pub fn new(name: impl Into<String>, shape: [usize; 3], pixels: Vec<u8>, labels: Option<Vec<u32>>) -> Result<Self> {
        let name = name.into();
        let size: usize = shape.iter().product();
        if size == 0 {
            return Err(Error::data(format!("shape of the images `{name}`"), format!("{shape:?}"), "no 0"));
        }
        if pixels.is_empty() || !pixels.len().is_multiple_of(size) {
            let expected = format!("a positive multiple of {size}");
            return Err(Error::data(format!("pixels of the images `{name}`"), pixels.len(), expected));
        }
        if let Some(labels) = labels.as_ref().filter(|l| l.len() != pixels.len() / size) {
            let expected = format!("one an image, so {}", pixels.len() / size);
            return Err(Error::data(format!("labels of the images `{name}`"), labels.len(), expected));
        }
        Ok(Self { name, shape, pixels, labels, classes: Vec::new(), sources: Vec::new() })
    }

    /// A set of `values` `(N, C, H, W)` in `[0, 1]`, as models make them: rounded to 256 levels, what lies outside is
    /// held at the ends.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for a value that is no number, with the image's index as its step; else as
    /// [`Images::new`].
    pub fn from_unit(name: impl Into<String>, shape: [usize; 3], values: &[f32]) -> Result<Self> {
        let size = shape.iter().product::<usize>().max(1);
        if let Some(at) = values.iter().position(|v| v.is_nan()) {
            let what = format!("pixel of image {}", at / size);
            return Err(Error::NonFinite { what, value: f64::NAN, step: (at / size) as u64 });
        }
        let pixels = values.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        Self::new(name, shape, pixels, None)
    }

    /// The same images with these labels.
    ///
    /// # Errors
    /// [`Error::Data`] for another number of labels than of images.
    pub fn labelled(self, labels: Vec<u32>) -> Result<Self> {
        let Images { name, shape, pixels, .. } = self;
        Self::new(name, shape, pixels, Some(labels))
    }

    /// Number of images, at least 1.
    #[allow(clippy::len_without_is_empty)] // a set is never empty
    pub fn len(&self) -> usize {
        self.pixels.len() / self.size()
    }

    /// `[C, H, W]`: channels (1 grey, 3 red, green, blue), rows, columns.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Numbers an image: `C * H * W`.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// All pixels, `(N, C, H, W)` row-major.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Pixels of image `i`, `(C, H, W)`; `i` below [`Images::len`].
    pub fn row(&self, i: usize) -> &[u8] {
        let size = self.size();
        &self.pixels[i * size..(i + 1) * size]
    }

    /// A label an image, or `None` where the set has none.
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// The labels of a set that must have them.
    ///
    /// # Errors
    /// [`Error::Data`] naming the set when it has none.
    pub fn known_labels(&self) -> Result<&[u32]> {
        let expected = "labels beside the images (an idx1 file, a label column, class folders)";
        self.labels().ok_or_else(|| Error::data(format!("labels of `{}`", self.name), "none", expected))
    }

    /// One more than the largest label; 0 without labels.
    pub fn class_count(&self) -> usize {
        let largest = self.labels.iter().flatten().max().map_or(0, |l| *l as usize + 1);
        largest.max(self.classes.len())
    }

    /// Appends images `indices`, in their order and in `[0, 1]`, to `out`: `(len, C, H, W)` row-major.
    pub fn fill_unit(&self, indices: &[usize], out: &mut Vec<f32>) {
        out.reserve(indices.len() * self.size());
        for &i in indices {
            out.extend(self.row(i).iter().map(|v| f32::from(*v) / 255.0));
        }
    }

    /// All images in `[0, 1]`, `(N, C, H, W)` row-major.
    pub fn to_unit(&self) -> Vec<f32> {
        self.pixels.iter().map(|v| f32::from(*v) / 255.0).collect()
    }

    /// The images `indices`, in their order; sources and class names stay.
    ///
    /// # Errors
    /// [`Error::Data`] for no index or one beyond the set.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let what = || format!("images taken from `{}`", self.name);
        if indices.is_empty() {
            return Err(Error::data(what(), "none", "at least one"));
        }
        if let Some(i) = indices.iter().find(|i| **i >= self.len()) {
            return Err(Error::data(what(), format!("number {i}"), format!("numbers below {}", self.len())));
        }
        let mut pixels = Vec::with_capacity(indices.len() * self.size());
        indices.iter().for_each(|i| pixels.extend_from_slice(self.row(*i)));
        let labels = self.labels.as_ref().map(|l| indices.iter().map(|i| l[*i]).collect());
        let (name, shape) = (self.name.clone(), self.shape);
        Ok(Self { name, shape, pixels, labels, classes: self.classes.clone(), sources: self.sources.clone() })
    }

    /// The images whose label is one of `classes`, in their order.
    ///
    /// # Errors
    /// [`Error::Data`] when the set has no labels or no such image.
    pub fn of_classes(&self, classes: &[u32]) -> Result<Self> {
        let labels = self.known_labels()?;
        let chosen: Vec<usize> = (0..self.len()).filter(|i| classes.contains(&labels[*i])).collect();
        self.select(&chosen)
    }

    /// SHA-256 of shape, labels and pixels, hexadecimal: the same images give the same whatever files they came in.
    pub fn fingerprint(&self) -> String {
        let mut bytes = Vec::with_capacity(self.pixels.len() + 4 * self.len() + 64);
        self.shape.iter().for_each(|n| bytes.extend((*n as u64).to_le_bytes()));
        bytes.push(u8::from(self.labels.is_some()));
        self.labels.iter().flatten().for_each(|l| bytes.extend(l.to_le_bytes()));
        bytes.extend_from_slice(&self.pixels);
        files::sha256_hex(&bytes)
    }
}
