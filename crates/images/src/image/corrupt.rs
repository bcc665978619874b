//! Damage that models are asked to mend: a hidden half, salt and pepper.
//!
//! Images are rows of `(B, C, H, W)` in `[0, 1]`; image `b` takes the noise of chain `b`.

use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// A half of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// Columns from 0.
    Left,
    /// Columns up to the last.
    Right,
    /// Rows from 0.
    Top,
    /// Rows up to the last.
    Bottom,
}

impl Half {
    /// The pixels of this half: `(C, H, W)`, true where a pixel belongs to it. Of an odd number of rows or columns the
    /// middle one belongs to the right and to the bottom half only.
    pub fn mask(self, shape: [usize; 3]) -> Vec<bool> {
        let [channels, height, width] = shape;
        let inside = |i: usize| {
            let (y, x) = (i / width % height, i % width);
            match self {
                Half::Left => x < width / 2,
                Half::Right => x >= width / 2,
                Half::Top => y < height / 2,
                Half::Bottom => y >= height / 2,
            }
        };
        (0..channels * height * width).map(inside).collect()
    }
}

/// Replaces what `hidden` `(C, H, W)` marks of every image by uniform noise in (0, 1).
///
/// # Errors
/// [`Error::Shape`] when `values` is no whole number of images.
pub fn hide(values: &mut [f32], hidden: &[bool], noise: &mut Noise) -> Result<()> {
    check(values, hidden.len())?;
    let draw = noise.next_draw();
    let mut uniform = vec![0.0; hidden.len()];
    for (b, image) in values.chunks_exact_mut(hidden.len()).enumerate() {
        draw.uniform(b as u64, &mut uniform);
        for ((value, hidden), u) in image.iter_mut().zip(hidden).zip(&uniform) {
            if *hidden {
                *value = *u as f32;
            }
        }
    }
    Ok(())
}

/// Level of a pixel of salt, and that of pepper, as in the experiments of Du & Mordatch 2019.
pub const SALT_AND_PEPPER: (f32, f32) = (0.9, 0.1);

/// Turns a share of all places of every image into salt and as large a share into pepper (together `2 share`), in all
/// channels of a place. `share` lies in `[0, 0.5]`.
///
/// # Errors
/// [`Error::Config`] for a share out of range; [`Error::Shape`] when `values` is no whole number of images.
pub fn salt_and_pepper(values: &mut [f32], shape: [usize; 3], share: f64, noise: &mut Noise) -> Result<()> {
    if !(0.0..=0.5).contains(&share) {
        return Err(Error::config("share of salt", share, "0 to 0.5"));
    }
    let [channels, height, width] = shape;
    check(values, channels * height * width)?;
    let places = height * width;
    let draw = noise.next_draw();
    let mut uniform = vec![0.0; places];
    for (b, image) in values.chunks_exact_mut(channels * places).enumerate() {
        draw.uniform(b as u64, &mut uniform);
        for plane in image.chunks_exact_mut(places) {
            for (value, u) in plane.iter_mut().zip(&uniform) {
                if *u < share {
                    *value = SALT_AND_PEPPER.0;
                } else if *u < 2.0 * share {
                    *value = SALT_AND_PEPPER.1;
                }
            }
        }
    }
    Ok(())
}

fn check(values: &[f32], size: usize) -> Result<()> {
    match size > 0 && values.len().is_multiple_of(size) {
        true => Ok(()),
        false => Err(Error::Shape {
            what: "images to be damaged",
            found: vec![values.len()],
            expected: format!("a multiple of {size}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_disjoint_and_whole() {
        let shape = [3, 5, 4];
        for (a, b) in [(Half::Left, Half::Right), (Half::Top, Half::Bottom)] {
            let pairs: Vec<_> = a.mask(shape).into_iter().zip(b.mask(shape)).collect();
            assert!(pairs.iter().all(|(a, b)| a != b));
        }
        assert_eq!(Half::Left.mask([1, 1, 4]), [true, true, false, false]);
        assert_eq!(Half::Top.mask([1, 3, 1]), [true, false, false]);
    }

    #[test]
    fn hiding_leaves_the_rest_and_depends_on_the_image_only() -> Result<()> {
        let shape = [2, 4, 4];
        let hidden = Half::Bottom.mask(shape);
        let mut two = vec![2.0f32; 64];
        hide(&mut two, &hidden, &mut Noise::new(1))?;
        for image in two.chunks_exact(32) {
            assert!(image.iter().zip(&hidden).all(|(v, h)| if *h { (0.0..1.0).contains(v) } else { *v == 2.0 }));
        }
        let mut second = vec![2.0f32; 32];
        hide(&mut second, &hidden, &mut Noise::new(1).from_chain(1))?;
        assert_eq!(second, two[32..]);
        assert!(hide(&mut two[..5], &hidden, &mut Noise::new(1)).is_err());
        Ok(())
    }

    #[test]
    fn salt_and_pepper_are_as_frequent_as_asked_and_the_same_in_all_channels() -> Result<()> {
        let (shape, images) = ([3, 16, 16], 200);
        let mut values = vec![0.5f32; images * 768];
        salt_and_pepper(&mut values, shape, 0.05, &mut Noise::new(4))?;
        for image in values.chunks_exact(768) {
            assert_eq!(image[..256], image[256..512]);
            assert_eq!(image[..256], image[512..]);
        }
        let n = values.len() as f64 / 3.0;
        for level in [0.9f32, 0.1] {
            let share = values.iter().filter(|v| **v == level).count() as f64 / 3.0 / n;
            // Four standard errors of a share of 0.05 of n places.
            assert!((share - 0.05).abs() < 4.0 * (0.05 * 0.95 / n).sqrt(), "{level}: {share}");
        }
        assert!(salt_and_pepper(&mut values, shape, 0.6, &mut Noise::new(4)).is_err());
        Ok(())
    }
}
