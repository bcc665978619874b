//! Random changes that leave what an image shows: shifts and mirror images.

use ebmotion::noise::Noise;
use serde::{Deserialize, Serialize};

/// What may be done to an image. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels by which an image is shifted at most, up or down and to either side, every shift as likely as every other. What comes
    /// in at a side is a copy of the row or column that was there: of the set's background, where images have one.
    pub shift: usize,
    /// Left and right are exchanged in every second image; for photographs, not for digits and letters.
    pub flip: bool,
}

impl Augment {
    /// True where nothing is done, and no random number drawn.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Changes each of the images `pixels`, `(N, C, H, W)` row-major for `shape` `[C, H, W]` without a 0. Image `i` is chain
    /// `i` of the noise.
    pub fn apply<T: Copy>(&self, shape: [usize; 3], pixels: &mut [T], noise: &mut Noise) {
        let size = shape.iter().product::<usize>().max(1);
        if self.is_none() {
            return;
        }
        let count = pixels.len() / size;
        let span = 2 * self.shift + 1;
        let (down, right) = (noise.indices(count, span), noise.indices(count, span));
        let mirrored = if self.flip { noise.indices(count, 2) } else { vec![0; count] };
        let by = |shift: usize| shift as isize - self.shift as isize;
        for (i, image) in pixels.chunks_exact_mut(size).enumerate() {
            moved(shape, image, [by(down[i]), by(right[i])], mirrored[i] == 1);
        }
    }
}

/// An image shifted down and to the right, mirrored before that.
fn moved<T: Copy>([_, height, width]: [usize; 3], image: &mut [T], [down, right]: [isize; 2], mirrored: bool) {
    let from = |to: usize, by: isize, length: usize| (to as isize - by).clamp(0, length as isize - 1) as usize;
    for plane in image.chunks_exact_mut(height * width) {
        let old = plane.to_vec();
        for (i, pixel) in plane.iter_mut().enumerate() {
            let (row, column) = (from(i / width, down, height), from(i % width, right, width));
            *pixel = old[row * width + if mirrored { width - 1 - column } else { column }];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 2 rows and 3 columns.
    const IMAGE: [u8; 12] = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16];

    #[test]
    fn a_shift_moves_and_repeats_the_edge_and_a_flip_flips() {
        let after = |by, mirrored| {
            let mut image = IMAGE;
            moved([2, 2, 3], &mut image, by, mirrored);
            image
        };
        assert_eq!(after([0, 0], false), IMAGE);
        assert_eq!(after([1, 0], false), [1, 2, 3, 1, 2, 3, 11, 12, 13, 11, 12, 13]);
        assert_eq!(after([0, -1], false), [2, 3, 3, 5, 6, 6, 12, 13, 13, 15, 16, 16]);
        assert_eq!(after([0, 0], true), [3, 2, 1, 6, 5, 4, 13, 12, 11, 16, 15, 14]);
        assert_eq!(after([0, 1], true), [3, 3, 2, 6, 6, 5, 13, 13, 12, 16, 16, 15]);
        assert_eq!(after([9, 9], false), [1, 1, 1, 1, 1, 1, 11, 11, 11, 11, 11, 11]);
    }

    /// 900 images, nine shifts and two orientations: each 50 times, within five binomial standard errors (35).
    #[test]
    fn every_change_is_as_likely_and_nothing_asks_for_no_noise() {
        let augment = Augment { shift: 1, flip: true };
        let image: Vec<u8> = (0..9).collect();
        let (mut pixels, mut noise) = (image.repeat(900), Noise::new(1));
        augment.apply([1, 3, 3], &mut pixels, &mut noise);
        let mut seen = std::collections::BTreeMap::new();
        pixels.chunks(9).for_each(|image| *seen.entry(image.to_vec()).or_insert(0i32) += 1);
        assert_eq!(seen.len(), 18);
        assert!(seen.values().all(|n| (n - 50).abs() < 35), "{seen:?}");
        let mut again = image.repeat(900);
        augment.apply([1, 3, 3], &mut again, &mut Noise::new(1));
        assert_eq!(again, pixels, "the same noise, the same changes");
        let (mut same, mut noise) = (image.clone(), Noise::new(1));
        Augment::default().apply([1, 3, 3], &mut same, &mut noise);
        assert_eq!((same, noise.indices(5, 100)), (image, Noise::new(1).indices(5, 100)));
    }
}
