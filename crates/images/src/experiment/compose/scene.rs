//! The sprites of this experiment: at fewer places and of fewer pixels than the generator's, and what is said of them.

use crate::image::Images;
use crate::image::sprites::{COUNTS, SIDE, Sprite};
use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::noise::Noise;
use ebmotion::train::{Batch, BatchSource};
use serde::{Deserialize, Serialize};
use std::f64::consts::{PI, TAU};

/// What an energy is given of a sprite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// Square, ellipse or heart.
    Shape,
    /// One of six.
    Size,
    /// Column and row.
    Position,
    /// In fortieths of a turn.
    Rotation,
}

/// Multiples of the half period that a position is told by.
const POSITION_FREQUENCIES: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
/// Multiples of the turn that a rotation is told by.
const ROTATION_FREQUENCIES: [f64; 4] = [1.0, 2.0, 3.0, 4.0];

impl Attribute {
    /// All of them.
    pub const ALL: [Attribute; 4] = [Attribute::Shape, Attribute::Size, Attribute::Position, Attribute::Rotation];

    /// Name as in results.
    pub fn name(self) -> &'static str {
        match self {
            Attribute::Shape => "shape",
            Attribute::Size => "size",
            Attribute::Position => "position",
            Attribute::Rotation => "rotation",
        }
    }

    /// Values of an attribute of few: shape, size; rotations of the generator.
    pub(super) fn values(self) -> usize {
        match self {
            Attribute::Shape => COUNTS[0],
            Attribute::Size => COUNTS[1],
            Attribute::Rotation => COUNTS[2],
            Attribute::Position => COUNTS[3] * COUNTS[4],
        }
    }

    /// Numbers by which networks are told it.
    pub(super) fn width(self) -> usize {
        match self {
            Attribute::Shape | Attribute::Size => self.values(),
            Attribute::Position => 4 * POSITION_FREQUENCIES.len(),
            Attribute::Rotation => 2 * ROTATION_FREQUENCIES.len(),
        }
    }

    /// Appends those numbers: zeros and a one for shape and size, sines and cosines else.
    pub(super) fn tell(self, sprite: &Sprite, out: &mut Vec<f32>) {
        let one_of = |value: usize, count: usize| (0..count).map(move |i| f32::from(u8::from(i == value)));
        let waves = |angle: f64, out: &mut Vec<f32>| out.extend([angle.sin() as f32, angle.cos() as f32]);
        match self {
            Attribute::Shape => out.extend(one_of(sprite.shape, self.values())),
            Attribute::Size => out.extend(one_of(sprite.size, self.values())),
            Attribute::Position => {
                for (place, count) in [(sprite.column, COUNTS[3]), (sprite.row, COUNTS[4])] {
                    let angle = PI * (place as f64 + 0.5) / count as f64;
                    POSITION_FREQUENCIES.iter().for_each(|f| waves(f * angle, out));
                }
            }
            Attribute::Rotation => {
                let angle = TAU * sprite.rotation as f64 / COUNTS[2] as f64;
                ROTATION_FREQUENCIES.iter().for_each(|f| waves(f * angle, out));
            }
        }
    }
}

/// Attributes of many sprites as a context `(B, C)`.
pub(super) fn context(attributes: &[Attribute], sprites: &[Sprite]) -> Result<Tensor> {
    let mut numbers = Vec::new();
    sprites.iter().for_each(|sprite| attributes.iter().for_each(|a| a.tell(sprite, &mut numbers)));
    let width: usize = attributes.iter().map(|a| a.width()).sum();
    Ok(Tensor::from_vec(numbers, (sprites.len(), width), &Device::Cpu)?)
}

/// The context `(rows, C)` of images of which nothing is told.
pub(super) fn nothing(attributes: &[Attribute], rows: usize) -> Result<Tensor> {
    let width: usize = attributes.iter().map(|a| a.width()).sum();
    Ok(Tensor::zeros((rows, width), DType::F32, &Device::Cpu)?)
}

/// Which sprites there are, and of how many pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) side: usize,
    pub(super) positions: usize,
}

impl Scene {
    pub(super) fn size(self) -> usize {
        self.side * self.side
    }

    /// The generator's column (or row) of place `i`.
    pub(super) fn place(self, i: usize) -> usize {
        i * self.step()
    }

    /// The generator's columns from one place to the next.
    pub(super) fn step(self) -> usize {
        COUNTS[3] / self.positions
    }

    /// Appends the image, means of the generator's pixels in `[0, 1]`, `(side, side)` row-major.
    pub(super) fn draw(self, sprite: &Sprite, out: &mut Vec<f32>) {
        let (fine, pool) = (sprite.draw(), SIDE / self.side);
        let scale = 1.0 / (255 * pool * pool) as f32;
        for y in 0..self.side {
            for x in 0..self.side {
                let rows =
                    (y * pool..(y + 1) * pool).flat_map(|r| &fine[r * SIDE + x * pool..r * SIDE + (x + 1) * pool]);
                out.push(rows.map(|v| f32::from(*v)).sum::<f32>() * scale);
            }
        }
    }

    /// The images of many sprites in `[0, 1]`, row after row.
    pub(super) fn draw_all(self, sprites: &[Sprite]) -> Vec<f32> {
        let mut all = Vec::with_capacity(sprites.len() * self.size());
        sprites.iter().for_each(|sprite| self.draw(sprite, &mut all));
        all
    }

    /// Values in `[0, 1]` as a set of images.
    pub(super) fn images(self, values: &[f32]) -> Result<Images> {
        Images::from_unit(format!("dsprites, {} x {}", self.side, self.side), [1, self.side, self.side], values)
    }

    /// Any sprites.
    pub(super) fn any(self, count: usize, noise: &mut Noise) -> Vec<Sprite> {
        let [shape, size, rotation] = [0, 1, 2].map(|factor| noise.indices(count, COUNTS[factor]));
        let [column, row] = [0, 1].map(|_| noise.indices(count, self.positions));
        let one = |i: usize| Sprite {
            shape: shape[i],
            size: size[i],
            rotation: rotation[i],
            column: self.place(column[i]),
            row: self.place(row[i]),
        };
        (0..count).map(one).collect()
    }
}

/// Mean and standard deviation of a set's pixels: networks see `(pixel - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) mean: f64,
    pub(super) std: f64,
}

impl Scale {
    pub(super) fn of(pixels: &[f32]) -> Self {
        let mean = pixels.iter().map(|v| f64::from(*v)).sum::<f64>() / pixels.len() as f64;
        let square = pixels.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
        Self { mean, std: square.sqrt() }
    }

    /// Pixels in `[0, 1]` as networks see them.
    pub(super) fn hide(self, pixels: Vec<f32>, shape: (usize, usize, usize, usize)) -> Result<Tensor> {
        let x = Tensor::from_vec(pixels, shape, &Device::Cpu)?;
        Ok(x.affine(1.0 / self.std, -self.mean / self.std)?)
    }

    /// Back to pixels.
    pub(super) fn show(self, x: &Tensor) -> Result<Vec<f32>> {
        Ok(x.affine(self.std, self.mean)?.flatten_all()?.to_vec1::<f32>()?)
    }

    /// What black and white are to networks.
    pub(super) fn limits(self) -> (f64, f64) {
        (-self.mean / self.std, (1.0 - self.mean) / self.std)
    }
}

/// Batches of sprites, drawn as they are needed.
pub(super) struct SceneBatches<'a> {
    pub(super) scene: Scene,
    pub(super) scale: Scale,
    /// What the network is given.
    pub(super) attributes: &'a [Attribute],
    /// Which sprites.
    pub(super) choose: Choose<'a>,
    /// Which sprites the network is told nothing of: a quarter of each batch, where there are any.
    pub(super) untold: Option<Choose<'a>>,
    /// What some of a batch begin at in place of their image, for objectives that recover.
    pub(super) astray: Option<Astray<'a>>,
}

/// Where chains go astray.
pub(super) struct Astray<'a> {
    /// Share of a batch.
    pub(super) share: f64,
    /// What stands there in place of a sprite, given a number below 1 to choose by; `None` for nothing.
    pub(super) shown: &'a dyn Fn(&Sprite, f64) -> Option<Sprite>,
}

/// Chooses so many sprites.
pub(super) type Choose<'a> = &'a dyn Fn(usize, &mut Noise) -> Vec<Sprite>;

impl BatchSource for SceneBatches<'_> {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let untold = self.untold.map_or(Vec::new(), |choose| choose(size / 4, noise));
        let mut sprites = (self.choose)(size - untold.len(), noise);
        let (told, given) = (sprites.len(), context(self.attributes, &sprites)?);
        let context = match untold.len() {
            0 => given,
            rows => Tensor::cat(&[&given, &nothing(self.attributes, rows)?], 0)?,
        };
        sprites.extend(untold);
        let shape = (sprites.len(), 1, self.scene.side, self.scene.side);
        let x = self.scale.hide(self.scene.draw_all(&sprites), shape)?;
        let start = match &self.astray {
            None => None,
            Some(Astray { share, shown }) => {
                let rows = (share * told as f64).round() as usize;
                let uniforms = noise.uniform(sprites.len(), DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
                let mut images = Vec::with_capacity(sprites.len() * self.scene.size());
                for (row, (sprite, uniform)) in sprites.iter().zip(uniforms).enumerate() {
                    match if row < rows { shown(sprite, uniform) } else { Some(*sprite) } {
                        Some(sprite) => self.scene.draw(&sprite, &mut images),
                        None => images.resize(images.len() + self.scene.size(), 0.0),
                    }
                }
                Some(self.scale.hide(images, shape)?)
            }
        };
        Ok(Batch { x, context: Some(context), start })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}
