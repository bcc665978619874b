//! White shapes on black, each image a pure function of five factors: 3 shapes, 6 sizes, 40 rotations and 32 x 32
//! positions. The factors are those of dSprites (Matthey et al. 2017); the geometry is our own, so the pixels differ
//! from that file's.

use super::Images;
use ebmotion::{Error, Result};
use std::f64::consts::TAU;

/// Pixels a side.
pub const SIDE: usize = 64;
/// Number of values of shape, size, rotation, column and row.
pub const COUNTS: [usize; 5] = [3, 6, 40, 32, 32];
/// Number of all images, 737,280.
pub const TOTAL: usize = COUNTS[0] * COUNTS[1] * COUNTS[2] * COUNTS[3] * COUNTS[4];
/// Names of the factors, in the order of [`COUNTS`].
pub const FACTORS: [&str; 5] = ["shape", "size", "rotation", "column", "row"];
/// Names of the shapes.
pub const SHAPES: [&str; 3] = ["square", "ellipse", "heart"];

/// Farthest that a shape of the largest size reaches from its centre, in pixels. The outermost centres lie 16.5 pixels
/// from the edge: no shape is ever cut.
const REACH: f64 = 15.0;
/// Centre of the first column and row, in pixels; one pixel a step.
const FIRST_CENTRE: f64 = 16.5;

/// What is to be seen in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sprite {
    /// 0 a square, 1 an ellipse twice as long as wide, 2 a heart.
    pub shape: usize,
    /// 0 half of the full size to 5 the full size, in equal steps.
    pub size: usize,
    /// Fortieths of a turn, clockwise as the image is seen.
    pub rotation: usize,
    /// Position to the right, in pixels from the leftmost.
    pub column: usize,
    /// Position downwards, in pixels from the topmost.
    pub row: usize,
}

impl Sprite {
    /// The factors of [`COUNTS`], in that order.
    ///
    /// # Errors
    /// [`Error::Config`] naming the factor that is out of range.
    pub fn new(factors: [usize; 5]) -> Result<Self> {
        if let Some(i) = (0..5).find(|i| factors[*i] >= COUNTS[*i]) {
            let expected = format!("0 to {}", COUNTS[i] - 1);
            return Err(Error::config(format!("sprite's {}", FACTORS[i]), factors[i], expected));
        }
        let [shape, size, rotation, column, row] = factors;
        Ok(Self { shape, size, rotation, column, row })
    }

    /// The sprite of number `index` below [`TOTAL`]; the last factor changes fastest.
    ///
    /// # Errors
    /// [`Error::Config`] for a number out of range.
    pub fn from_index(index: usize) -> Result<Self> {
        if index >= TOTAL {
            return Err(Error::config("number of a sprite", index, format!("0 to {}", TOTAL - 1)));
        }
        let (mut rest, mut factors) = (index, [0; 5]);
        for (factor, count) in factors.iter_mut().zip(COUNTS).rev() {
            *factor = rest % count;
            rest /= count;
        }
        Self::new(factors)
    }

    /// The factors in the order of [`COUNTS`].
    pub fn factors(&self) -> [usize; 5] {
        [self.shape, self.size, self.rotation, self.column, self.row]
    }

    /// Its number, below [`TOTAL`].
    pub fn index(&self) -> usize {
        self.factors().iter().zip(COUNTS).fold(0, |n, (factor, count)| n * count + factor)
    }

    /// The image, `(SIDE, SIDE)` row-major: 255 where a pixel's centre lies in the shape, 0 elsewhere.
    pub fn draw(&self) -> Vec<u8> {
        let mut pixels = vec![0; SIDE * SIDE];
        let [x0, y0] = [self.column, self.row].map(|i| FIRST_CENTRE + i as f64);
        let scale = REACH * (0.5 + 0.1 * self.size as f64);
        let (sin, cos) = (TAU * self.rotation as f64 / COUNTS[2] as f64).sin_cos();
        let around = |centre: f64| (centre - REACH) as usize..=(centre + REACH) as usize;
        for y in around(y0) {
            for x in around(x0) {
                let (dx, dy) = ((x as f64 + 0.5 - x0) / scale, (y as f64 + 0.5 - y0) / scale);
                // Back to the shape as it stands upright, in units of its reach.
                let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
                if self.contains(u, v) {
                    pixels[y * SIDE + x] = 255;
                }
            }
        }
        pixels
    }

    /// Whether the upright shape of reach 1 contains the point `u` to the right and `v` down of its centre.
    fn contains(&self, u: f64, v: f64) -> bool {
        match self.shape {
            0 => u.abs().max(v.abs()) <= std::f64::consts::FRAC_1_SQRT_2,
            1 => u * u + 4.0 * v * v <= 1.0,
            _ => {
                // (x^2 + y^2 - 1)^3 <= x^2 y^3, y up: a heart from y = -1 to 1.2, moved so that it is centred.
                let (x, y) = (HEART * u, HEART_MIDDLE - HEART * v);
                (x * x + y * y - 1.0).powi(3) <= x * x * y.powi(3)
            }
        }
    }
}

/// Units of the heart's equation a reach, and the height of its middle: it then just fits into the circle of reach 1.
const HEART: f64 = 1.26;
const HEART_MIDDLE: f64 = 0.24;

/// The images of many sprites, without labels.
///
/// # Errors
/// [`Error::Data`] without any sprite.
pub fn images(sprites: &[Sprite]) -> Result<Images> {
    Images::new("dsprites", [1, SIDE, SIDE], sprites.iter().flat_map(Sprite::draw).collect(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(pixels: &[u8]) -> f64 {
        pixels.iter().filter(|v| **v == 255).count() as f64
    }

    #[test]
    fn numbers_and_factors_belong_together() -> Result<()> {
        assert_eq!(TOTAL, 737_280);
        for index in [0, 1, 31, 32, 1023, 40_960, 245_759, TOTAL - 1] {
            let sprite = Sprite::from_index(index)?;
            assert_eq!(sprite.index(), index);
            assert_eq!(Sprite::new(sprite.factors())?, sprite);
        }
        assert!(Sprite::from_index(TOTAL).is_err());
        let error = Sprite::new([0, 6, 0, 0, 0]).expect_err("size 6");
        assert!(error.to_string().contains("size"), "{error}");
        Ok(())
    }

    /// A count of pixels is off by at most the pixels that the outline cuts, about its length: half a pixel each, and of
    /// either sign.
    #[test]
    fn areas_are_those_of_the_geometry() -> Result<()> {
        // The heart's area is 3.66197 in its equation's units (integrated numerically).
        let areas = [2.0, std::f64::consts::FRAC_PI_2, 3.661_97 / (HEART * HEART)];
        for (shape, unit) in areas.iter().enumerate() {
            for size in 0..6 {
                let scale = REACH * (0.5 + 0.1 * size as f64);
                for rotation in [0, 3, 10, 17] {
                    let found = area(&Sprite::new([shape, size, rotation, 9, 20])?.draw());
                    let expected = unit * scale * scale;
                    assert!(
                        (found - expected).abs() < 0.5 * TAU * scale,
                        "{shape} {size} {rotation}: {found} of {expected}"
                    );
                }
            }
        }
        Ok(())
    }

    #[test]
    fn no_shape_is_cut_at_any_corner() -> Result<()> {
        for shape in 0..3 {
            for rotation in 0..40 {
                let middle = area(&Sprite::new([shape, 5, rotation, 16, 16])?.draw());
                for (column, row) in [(0, 0), (31, 0), (0, 31), (31, 31)] {
                    let pixels = Sprite::new([shape, 5, rotation, column, row])?.draw();
                    assert_eq!(area(&pixels), middle, "{shape} {rotation} {column} {row}");
                    let edge = |i: usize| [i / SIDE, i % SIDE].iter().any(|v| [0, SIDE - 1].contains(v));
                    assert!((0..SIDE * SIDE).all(|i| !edge(i) || pixels[i] == 0));
                }
            }
        }
        Ok(())
    }

    /// The heart reaches the circle and stays in it: otherwise `draw` would cut it.
    #[test]
    fn the_heart_fills_its_circle() -> Result<()> {
        let heart = Sprite::new([2, 5, 0, 0, 0])?;
        let mut reach: f64 = 0.0;
        for i in -1500..=1500 {
            for j in -1500..=1500 {
                let (u, v) = (f64::from(i) / 1000.0, f64::from(j) / 1000.0);
                if heart.contains(u, v) {
                    reach = reach.max(u.hypot(v));
                }
            }
        }
        assert!(reach < 1.0 && reach > 0.94, "{reach}");
        Ok(())
    }

    #[test]
    fn factors_do_what_they_are_called() -> Result<()> {
        let centroid = |p: &[u8]| {
            let sum = (0..p.len())
                .filter(|i| p[*i] > 0)
                .fold((0.0, 0.0), |s, i| (s.0 + (i % SIDE) as f64, s.1 + (i / SIDE) as f64));
            (sum.0 / area(p), sum.1 / area(p))
        };
        for shape in 0..3 {
            let (a, b) = (Sprite::new([shape, 3, 7, 4, 9])?.draw(), Sprite::new([shape, 3, 7, 24, 10])?.draw());
            let ((ax, ay), (bx, by)) = (centroid(&a), centroid(&b));
            assert!((bx - ax - 20.0).abs() < 1e-9 && (by - ay - 1.0).abs() < 1e-9);
            assert!(area(&Sprite::new([shape, 4, 7, 4, 9])?.draw()) > area(&a));
        }
        // A quarter of a turn leaves the square, half a turn the ellipse; the heart has no such symmetry.
        let turned = |shape: usize, rotation: usize| Sprite::new([shape, 5, rotation, 8, 8]).map(|s| s.draw());
        assert_eq!(turned(0, 1)?, turned(0, 11)?);
        assert_eq!(turned(1, 3)?, turned(1, 23)?);
        let hearts: Vec<Vec<u8>> = (0..40).map(|r| turned(2, r)).collect::<Result<_>>()?;
        for i in 0..40 {
            assert!((0..i).all(|j| hearts[i] != hearts[j]), "rotation {i}");
        }
        Ok(())
    }
}
