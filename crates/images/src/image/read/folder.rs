//! A folder of PNG or JPEG files, or of class folders with such files.

use super::input::{Input, lower_name};
use super::picture::{self, Picture};
use crate::image::Images;
use ebmotion::{Error, Result};
use ebmotion_logs::files::FileRecord;
use std::path::{Path, PathBuf};

/// The pictures of a folder; its subfolders, where it has any with pictures in them, are the classes.
pub(super) fn read(folder: &Path) -> Result<Images> {
    let (files, folders) = list(folder)?;
    let mut classes: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for inner in &folders {
        let (pictures, _) = list(inner)?;
        if !pictures.is_empty() {
            classes.push((inner.file_name().unwrap_or_default().to_string_lossy().into_owned(), pictures));
        }
    }
    let mut all = Assembly::default();
    match (files.is_empty(), classes.is_empty()) {
        (true, true) => {
            let expected = "PNG or JPEG files, or class folders with such files in them";
            return Err(Error::image(folder, "none of them", expected));
        }
        (false, false) => {
            let found = format!("pictures beside the class folder `{}`", classes[0].0);
            return Err(Error::image(folder, found, "either pictures or class folders"));
        }
        (false, true) => files.iter().try_for_each(|path| all.add(path))?,
        (true, false) => {
            for (label, (name, pictures)) in classes.into_iter().enumerate() {
                for path in &pictures {
                    all.add(path)?;
                    all.labels.push(label as u32);
                }
                all.classes.push(name);
            }
        }
    }
    all.finish(folder)
}

/// A single picture.
pub(super) fn one(path: &Path) -> Result<Images> {
    let mut all = Assembly::default();
    all.add(path)?;
    all.finish(path)
}

/// Pictures and subfolders directly in a folder, by name; hidden ones are left out.
fn list(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut pictures, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "list"))? {
        let path = entry.map_err(Error::io(folder, "list"))?.path();
        let name = lower_name(&path);
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            folders.push(path);
        } else if picture::fits(&name) {
            pictures.push(path);
        }
    }
    pictures.sort();
    folders.sort();
    Ok((pictures, folders))
}

/// The pictures read so far.
#[derive(Default)]
struct Assembly {
    /// Shape of the first picture, which all others must have.
    shape: Option<[usize; 3]>,
    pixels: Vec<u8>,
    labels: Vec<u32>,
    classes: Vec<String>,
    sources: Vec<FileRecord>,
}

impl Assembly {
    fn add(&mut self, path: &Path) -> Result<()> {
        let input = Input::read(path)?;
        let Picture { shape, mut pixels } = picture::decode(&input.bytes, path, None)?;
        let first = *self.shape.get_or_insert(shape);
        if shape != first {
            let of = self.sources.first().map_or("the first picture", |s| s.path.as_str());
            let text = |[c, h, w]: [usize; 3]| format!("{c} channels of {w} x {h} pixels");
            return Err(Error::image(path, text(shape), format!("{}, as in {of}", text(first))));
        }
        self.pixels.append(&mut pixels);
        self.sources.push(input.source);
        Ok(())
    }

    fn finish(self, path: &Path) -> Result<Images> {
        let labels = (!self.classes.is_empty()).then_some(self.labels);
        let mut images = Images::new(path.display().to_string(), self.shape.unwrap_or_default(), self.pixels, labels)?;
        images.classes = self.classes;
        images.sources = self.sources;
        Ok(images)
    }
}
