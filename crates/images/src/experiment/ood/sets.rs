//! The sets that a model's own images are told from, in the model's shape.

use super::super::ImageModel;
use super::OodConfig;
use crate::image::{Images, corrupt};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::Serialize;

/// Share of the pixels that one kind of damage turns bright, and as large a one dark.
const STREWN: f64 = 0.05;
/// Side of the pixels to which another kind coarsens, in pixels.
const COARSE: usize = 4;

/// A set as results name it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetRecord {
    /// Its name.
    pub name: String,
    /// Images used.
    pub images: usize,
    /// What was done to them.
    pub how: String,
}

/// Images to be judged.
pub(super) struct Set {
    pub(super) images: Images,
    pub(super) record: SetRecord,
}

fn set(images: Images, name: &str, how: &str) -> Set {
    let record = SetRecord { name: name.into(), images: images.len(), how: how.into() };
    Set { images, record }
}

/// The model's own test images first, then all others.
pub(super) fn all(model: &ImageModel, data: &OodData<'_>, config: &OodConfig, noise: &Noise) -> Result<Vec<Set>> {
    let classes = &model.info().classes;
    let own = of_classes(data.test, classes)?;
    model.check_fits(&own)?;
    if own.len() < 2 {
        return Err(Error::data(format!("images of `{}` of the model's classes", own.name), own.len(), "at least 2"));
    }
    let count = config.images.min(own.len());
    let order = noise.fork(0).permutation(own.len());
    let mut sets = vec![set(own.select(&order[..count])?, &own.name, "test images of the classes trained on")];
    let labels = data.test.labels().unwrap_or_default();
    let rest: Vec<usize> = (0..labels.len()).filter(|i| !classes.contains(&labels[*i])).collect();
    if !rest.is_empty() && !classes.is_empty() {
        let rest = sample(&data.test.select(&rest)?, count, noise)?;
        sets.push(set(rest, "other classes", "test images of the classes not trained on"));
    }
    for other in data.others {
        let chosen = sample(other, count, noise)?;
        let bright = chosen.pixels().iter().map(|v| f64::from(*v)).sum::<f64>() / chosen.pixels().len() as f64 > 127.5;
        // Letters as they are scanned are dark on light paper, which any score would tell from digits by the paper alone.
        let (chosen, mut how) = match other.name.starts_with("omniglot") && bright {
            true => (chosen.inverted(), "inverted to bright on dark".to_string()),
            false => (chosen, String::new()),
        };
        if chosen.shape() != model.shape() {
            let [c, h, w] = chosen.shape();
            how += if how.is_empty() { "" } else { ", " };
            how += &format!("brought from {c} x {h} x {w} to the model's shape");
        }
        sets.push(set(chosen.in_shape(model.shape())?, &other.name, if how.is_empty() { "as it is" } else { &how }));
    }
    let made = [
        ("constant", "one random grey or colour an image", constant(model.shape(), count, &mut noise.fork(1))?),
        ("uniform noise", "each number of each pixel at random", uniform(model.shape(), count, &mut noise.fork(2))?),
        ("interpolations", "means of two different test images", interpolated(&own, count, &mut noise.fork(3))?),
    ];
    sets.extend(made.into_iter().map(|(name, how, images)| set(images, name, how)));
    Ok(sets)
}

/// Up to `count` images at random.
fn sample(images: &Images, count: usize, noise: &Noise) -> Result<Images> {
    let order = noise.named(&images.name).permutation(images.len());
    images.select(&order[..count.min(order.len())])
}

/// A random level of 256 for each of `of` numbers, repeated `times` times.
fn levels(count: usize, of: usize, times: usize, noise: &mut Noise) -> Vec<u8> {
    let draw = noise.next_draw();
    let mut row = vec![0.0; of];
    let mut pixels = Vec::with_capacity(count * of * times);
    for i in 0..count {
        draw.uniform(i as u64, &mut row);
        row.iter().for_each(|u| pixels.extend(std::iter::repeat_n((u * 256.0) as u8, times)));
    }
    pixels
}

fn constant(shape: [usize; 3], count: usize, noise: &mut Noise) -> Result<Images> {
    Images::new("constant", shape, levels(count, shape[0], shape[1] * shape[2], noise), None)
}

fn uniform(shape: [usize; 3], count: usize, noise: &mut Noise) -> Result<Images> {
    Images::new("uniform noise", shape, levels(count, shape.iter().product(), 1, noise), None)
}

/// Means of two images each, never of one with itself.
fn interpolated(images: &Images, count: usize, noise: &mut Noise) -> Result<Images> {
    let first = noise.indices(count, images.len());
    let apart = noise.indices(count, images.len() - 1);
    let mut pixels = Vec::with_capacity(count * images.size());
    for (a, apart) in first.into_iter().zip(apart) {
        let b = (a + 1 + apart) % images.len();
        let pairs = images.row(a).iter().zip(images.row(b));
        pixels.extend(pairs.map(|(a, b)| (u16::from(*a) + u16::from(*b)).div_ceil(2) as u8));
    }
    Images::new("interpolations", images.shape(), pixels, None)
}

/// The same images damaged in three ways: their quarters exchanged, coarsened, strewn with bright and dark pixels.
pub(super) fn damaged(images: &Images, noise: &Noise) -> Result<Vec<Images>> {
    let shape = images.shape();
    let [channels, height, width] = shape;
    let mut turned = Vec::with_capacity(images.pixels().len());
    for i in 0..images.len() {
        let row = images.row(i);
        for c in 0..channels {
            for y in 0..height {
                let from = (c * height + (y + height / 2) % height) * width;
                turned.extend((0..width).map(|x| row[from + (x + width / 2) % width]));
            }
        }
    }
    let coarse = [channels, height.div_ceil(COARSE), width.div_ceil(COARSE)];
    let mut coarse = images.in_shape(coarse)?.in_shape(shape)?;
    coarse.name = "coarsened".into();
    let mut strewn = images.to_unit();
    corrupt::salt_and_pepper(&mut strewn, shape, STREWN, &mut noise.fork(1))?;
    Ok(vec![
        Images::new("quarters exchanged", shape, turned, None)?,
        coarse,
        Images::from_unit("salt and pepper", shape, &strewn)?,
    ])
}

/// The first `count` images of every set.
pub(super) fn shown(sets: &[Set], count: usize) -> Result<Images> {
    let mut pixels = Vec::new();
    let shape = sets.first().map_or([0; 3], |s| s.images.shape());
    for set in sets {
        // A short set is filled up with black images, so that each row of the picture is one set.
        let size = set.images.size();
        let mut row: Vec<u8> = set.images.pixels().iter().copied().take(count * size).collect();
        row.resize(count * size, 0);
        pixels.extend(row);
    }
    Images::new("some of each set", shape, pixels, None)
}

/// What is judged and what the judges learn from.
#[derive(Debug, Clone, Copy)]
pub struct OodData<'a> {
    /// The set that the model was trained on.
    pub train: &'a Images,
    /// Its test part.
    pub test: &'a Images,
    /// Other sets, of any shape.
    pub others: &'a [Images],
}

/// The images of the model's classes; all where labels are missing.
pub(super) fn of_classes(images: &Images, classes: &[u32]) -> Result<Images> {
    match images.labels() {
        Some(_) if !classes.is_empty() => images.of_classes(classes),
        _ => Ok(images.clone()),
    }
}
