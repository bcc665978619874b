//! Images brought to another shape, so that a model may look at sets that it was not made for.

use super::Images;
use ebmotion::{Error, Result};

/// Shares of red, green and blue in the luminance of a pixel (ITU-R BT.601).
const LUMINANCE: [f32; 3] = [0.299, 0.587, 0.114];

impl Images {
    /// The same images in `shape` `[C, H, W]`. Rows and columns are stretched to fit by linear interpolation; where they shrink,
    /// by a triangle as wide as the pixels that fall into one, so that nothing is left out. Grey becomes colour by repetition,
    /// colour grey by its luminance. Labels, class names and sources stay; images that fit already are not changed.
    ///
    /// # Errors
    /// [`Error::Data`] for a shape without pixels, or other channels than 1 and 3 where they differ.
    pub fn in_shape(&self, shape: [usize; 3]) -> Result<Self> {
        if shape.contains(&0) {
            return Err(Error::data("shape of images", format!("{shape:?}"), "at least one channel, row and column"));
        }
        let [channels, height, width] = self.shape;
        let mix: Vec<Vec<f32>> = match (channels, shape[0]) {
            (a, b) if a == b => (0..a).map(|c| (0..a).map(|d| f32::from(u8::from(c == d))).collect()).collect(),
            (1, b) => vec![vec![1.0]; b],
            (3, 1) => vec![LUMINANCE.to_vec()],
            (a, b) => {
                let what = format!("channels of `{}`", self.name);
                return Err(Error::data(what, a, format!("{b}, or 1 and 3 in place of each other")));
            }
        };
        let (rows, columns) = (weights(height, shape[1]), weights(width, shape[2]));
        let mut pixels = Vec::with_capacity(self.len() * shape.iter().product::<usize>());
        for i in 0..self.len() {
            let image = self.row(i);
            for mixed in &mix {
                let plane: Vec<f32> = (0..height * width)
                    .map(|p| mixed.iter().enumerate().map(|(c, m)| m * f32::from(image[c * height * width + p])).sum())
                    .collect();
                // Columns first: `(H, W')`.
                let wide: Vec<f32> =
                    plane.chunks_exact(width).flat_map(|row| columns.iter().map(|w| w.of(row, 1))).collect();
                for row in &rows {
                    pixels.extend((0..shape[2]).map(|x| row.of(&wide[x..], shape[2]).round().clamp(0.0, 255.0) as u8));
                }
            }
        }
        Ok(Self { shape, pixels, ..self.clone() })
    }

    /// The same images with dark and bright exchanged.
    pub fn inverted(&self) -> Self {
        Self { pixels: self.pixels.iter().map(|v| 255 - v).collect(), ..self.clone() }
    }
}

/// What a pixel of the result takes of the pixels of a line, from `first` on.
struct Share {
    first: usize,
    weights: Vec<f32>,
}

impl Share {
    /// Of numbers `stride` apart.
    fn of(&self, line: &[f32], stride: usize) -> f32 {
        self.weights.iter().enumerate().map(|(k, w)| w * line[(self.first + k) * stride]).sum()
    }
}

/// For each of `to` pixels its share of `from` pixels.
fn weights(from: usize, to: usize) -> Vec<Share> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let share = |i: usize| {
        let centre = (i as f64 + 0.5) * scale - 0.5;
        let first = (centre - reach).ceil().max(0.0) as usize;
        let last = ((centre + reach).floor() as usize).min(from - 1);
        let raw: Vec<f64> = (first..=last).map(|j| (1.0 - (j as f64 - centre).abs() / reach).max(0.0)).collect();
        let sum: f64 = raw.iter().sum();
        Share { first, weights: raw.into_iter().map(|w| (w / sum) as f32).collect() }
    };
    (0..to).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_change_and_what_fits_stays() -> Result<()> {
        let images = Images::new("a", [1, 2, 2], vec![0, 100, 200, 40], Some(vec![3]))?;
        assert_eq!(images.in_shape([1, 2, 2])?, images);
        let colour = images.in_shape([3, 2, 2])?;
        assert_eq!((colour.row(0), colour.labels()), (&[0, 100, 200, 40].repeat(3)[..], Some(&[3][..])));
        // Grey of equal channels is that grey: the shares of luminance are 1 in all.
        assert_eq!(colour.in_shape([1, 2, 2])?, images);
        // Between two centres, halfway; beyond the outer ones their own value.
        let line = Images::new("b", [1, 1, 2], vec![0, 200], None)?;
        assert_eq!(line.in_shape([1, 1, 4])?.row(0), [0, 50, 150, 200]);
        // All pixels of a whole have their part in one.
        let mean = Images::new("c", [1, 1, 4], vec![10, 20, 30, 40], None)?.in_shape([1, 1, 1])?;
        assert_eq!(mean.row(0), [25]);
        let flat = Images::new("d", [1, 5, 7], vec![77; 35], None)?.in_shape([1, 3, 11])?;
        assert!(flat.pixels().iter().all(|v| *v == 77) && flat.shape() == [1, 3, 11]);
        assert_eq!(images.inverted().row(0), [255, 155, 55, 215]);
        assert!(images.in_shape([1, 0, 2]).is_err());
        assert!(Images::new("e", [2, 1, 1], vec![1, 2], None)?.in_shape([1, 1, 1]).is_err());
        Ok(())
    }
}
