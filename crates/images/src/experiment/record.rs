//! What an experiment leaves beside its pictures.

use crate::image::Images;
use ebmotion_logs::files::FileRecord;
use serde::{Deserialize, Serialize};

/// What an experiment leaves beside its pictures: enough to run it again and to know on what it ran.
#[derive(Debug, Serialize)]
pub struct Record<'a, S: Serialize, F: Serialize> {
    /// `ebmotion image NAME 1`: what this is, and the version of its fields.
    pub format: String,
    /// The settings as resolved, the seed among them.
    pub settings: &'a S,
    /// The sets of images used.
    pub data: Vec<DataRecord>,
    /// Seconds of the whole experiment by the clock; of a run that went on after an interruption, those since.
    pub seconds: f64,
    /// What was measured.
    pub figures: &'a F,
}

impl<'a, S: Serialize, F: Serialize> Record<'a, S, F> {
    /// The record of experiment `name` on the sets `data`.
    pub fn new(name: &str, settings: &'a S, data: &[&Images], seconds: f64, figures: &'a F) -> Self {
        let data = data.iter().map(|images| DataRecord::of(images)).collect();
        Self { format: format!("ebmotion image {name} 1"), settings, data, seconds, figures }
    }
}

/// A set of images as results name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecord {
    /// Its name.
    pub name: String,
    /// Number of images.
    pub images: usize,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// SHA-256 over shape, labels and pixels.
    pub fingerprint: String,
    /// The files it was read from; of a set of more than 16 files only the first 16.
    pub sources: Vec<FileRecord>,
}

impl DataRecord {
    /// Describes a set.
    pub fn of(images: &Images) -> Self {
        Self {
            name: images.name.clone(),
            images: images.len(),
            shape: images.shape(),
            fingerprint: images.fingerprint(),
            sources: images.sources.iter().take(16).cloned().collect(),
        }
    }
}
