//! What a set of images holds: how many, of which classes, how bright; and some of them to look at.

use crate::image::Images;
use crate::image::sprites::{self, Sprite};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowConfig {
    /// Seed of the choice.
    pub seed: u64,
    /// Images shown; at least 1.
    pub count: usize,
    /// Only images of these labels; of all where it is empty.
    pub classes: Vec<u32>,
}

impl Default for ShowConfig {
    fn default() -> Self {
        Self { seed: 0, count: 100, classes: Vec::new() }
    }
}

/// Figures of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Images in the set, of the classes asked for.
    pub images: usize,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// Images of each label, in the order of the labels; empty without labels.
    pub per_class: Vec<usize>,
    /// Names of the labels where there are any.
    pub classes: Vec<String>,
    /// Mean of all pixels, 0 black and 1 white.
    pub mean: f64,
    /// Standard deviation of all pixels.
    pub std: f64,
    /// Share of pixels that are 0, and of those that are 1.
    pub ends: [f64; 2],
    /// Images that an earlier one of the set equals, pixel by pixel.
    pub repeated: usize,
}

/// `count` images drawn without repetition, and the figures of the set.
///
/// # Errors
/// [`Error::Config`] for a count of 0; [`Error::Data`] when there is no image of the classes asked for.
pub fn show(images: &Images, config: &ShowConfig) -> Result<(Images, Shown)> {
    if config.count == 0 {
        return Err(Error::config("count", 0, "at least 1"));
    }
    let chosen = match config.classes.is_empty() {
        true => None,
        false => Some(images.of_classes(&config.classes)?),
    };
    let images = chosen.as_ref().unwrap_or(images);
    let order = Noise::new(config.seed).permutation(images.len());
    let sample = images.select(&order[..config.count.min(order.len())])?;
    Ok((sample, figures(images)))
}

/// `count` sprites drawn at random from all of them, with repetition.
///
/// # Errors
/// [`Error::Data`] for a count of 0.
pub fn random_sprites(count: usize, noise: &mut Noise) -> Result<Images> {
    let chosen: Vec<Sprite> =
        noise.indices(count, sprites::TOTAL).into_iter().map(Sprite::from_index).collect::<Result<_>>()?;
    sprites::images(&chosen)
}

fn figures(images: &Images) -> Shown {
    let mut levels = [0u64; 256];
    images.pixels().iter().for_each(|v| levels[usize::from(*v)] += 1);
    let n = images.pixels().len() as f64;
    let moment = |f: &dyn Fn(f64) -> f64| {
        levels.iter().enumerate().map(|(v, count)| f(v as f64 / 255.0) * *count as f64).sum::<f64>() / n
    };
    let mean = moment(&|v| v);
    let mut per_class = vec![0; images.class_count()];
    images.labels().unwrap_or_default().iter().for_each(|l| per_class[*l as usize] += 1);
    let mut rows: Vec<&[u8]> = (0..images.len()).map(|i| images.row(i)).collect();
    rows.sort_unstable();
    let distinct = 1 + rows.windows(2).filter(|pair| pair[0] != pair[1]).count();
    Shown {
        images: images.len(),
        shape: images.shape(),
        per_class,
        classes: images.classes.clone(),
        mean,
        std: moment(&|v| (v - mean).powi(2)).sqrt(),
        ends: [levels[0], levels[255]].map(|count| count as f64 / n),
        repeated: images.len() - distinct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_set() -> Result<()> {
        let images = Images::new("set", [1, 1, 2], vec![0, 255, 0, 255, 0, 0], Some(vec![2, 0, 2]))?;
        let (sample, shown) = show(&images, &ShowConfig { count: 9, ..ShowConfig::default() })?;
        assert_eq!((sample.len(), shown.images, shown.repeated), (3, 3, 1));
        assert_eq!(shown.per_class, [1, 0, 2]);
        assert!((shown.mean - 1.0 / 3.0).abs() < 1e-12 && (shown.std - 2f64.sqrt() / 3.0).abs() < 1e-12);
        assert_eq!(shown.ends.map(|e| (e * 6.0).round()), [4.0, 2.0]);
        let (twos, _) = show(&images, &ShowConfig { count: 1, classes: vec![2], ..ShowConfig::default() })?;
        assert_eq!(twos.labels(), Some(&[2][..]));
        assert!(show(&images, &ShowConfig { classes: vec![1], ..ShowConfig::default() }).is_err());
        assert!(show(&images, &ShowConfig { count: 0, ..ShowConfig::default() }).is_err());
        assert_eq!(random_sprites(3, &mut Noise::new(0))?.len(), 3);
        Ok(())
    }
}
