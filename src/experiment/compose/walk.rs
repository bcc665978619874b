//! Images drawn from energies that are known at every noise level.

use super::config::{Choice, Walk};
use super::expert::{half_square, shape};
use super::scene::{Scale, Scene};
use crate::energy::compose::{Scaled, Total};
use crate::energy::{Energy, Evaluated};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::experiment::walk::{WATCHED, behind, show};
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};

/// Noise angles from the first level to the last.
const ANGLES: (f64, f64) = (1.54, 0.06);

/// `|x|^2 / 2`: what every `E_t` holds besides its network.
#[derive(Debug, Clone, Copy)]
struct Normal;

impl Energy for Normal {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        half_square(x)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        Ok(Evaluated { energy: half_square(x)?.detach(), grad: x.detach() })
    }
}

/// Conjunction of energies at one noise level, `sum_i w_i E_i - (sum_i w_i - 1) |x|^2 / 2`: every network is added, the
/// standard normal that each `E_i` holds counts once. Negative weights negate.
pub(super) fn all<'a>(parts: impl IntoIterator<Item = (f64, Box<dyn Energy + 'a>)>) -> Box<dyn Energy + 'a> {
    let mut weights = 0.0;
    let mut total = Total::new();
    for (factor, energy) in parts {
        weights += factor;
        total = total.with(Scaled { energy, factor });
    }
    Box::new(total.with(Scaled { energy: Normal, factor: 1.0 - weights }))
}

/// Images in the order of their energies, the lowest first.
pub(super) fn by_energy(energies: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..energies.len()).collect();
    order.sort_by(|a, b| energies[*a].total_cmp(&energies[*b]));
    order
}

/// Draws images.
pub(super) struct Walker<'a> {
    pub(super) scene: Scene,
    pub(super) scale: Scale,
    pub(super) walk: &'a Walk,
}

impl Walker<'_> {
    /// Walks `rows` images down the noise levels; `energy` gives the energy at an angle. The answer is in `[0, 1]`.
    ///
    /// At angle `t` the energy says by its gradient what the image is ([`behind`]), held between black and white; the rest of `x`
    /// is noise.
    pub(super) fn draw<'a>(
        &self,
        rows: usize,
        energy: &dyn Fn(f64) -> Result<Box<dyn Energy + 'a>>,
        noise: &mut Noise,
        phase: &str,
        sink: &mut dyn Sink,
    ) -> Result<Vec<f32>> {
        let Self { scene, scale, walk } = *self;
        let shape = shape(scene, rows);
        let mut draw = |scale: f64| -> Result<Tensor> { Ok((noise.normal(shape, DType::F32, &Device::Cpu)? * scale)?) };
        let limits = scale.limits();
        let mut x = draw(walk.temperature)?;
        let step = (ANGLES.0 - ANGLES.1) / (walk.levels - 1) as f64;
        sink.emit(&Event::Begin { phase, total: walk.levels as u64 })?;
        let mut image = x.clone();
        for level in 0..walk.levels {
            if sink.stop_requested() {
                return Err(Error::Interrupted { step: level as u64, saved: None });
            }
            let t = ANGLES.0 - level as f64 * step;
            let at = energy(t)?.evaluate(&x)?;
            image = behind(&x, &at.grad, t)?.clamp(limits.0, limits.1)?;
            if sink.watches_chains() {
                let first = |x: &Tensor| x.narrow(0, 0, WATCHED.min(rows));
                show(level, &scene.images(&scale.show(&first(&image)?)?)?, &first(&at.energy)?, sink)?;
            }
            let rest = ((&x - (&image * t.cos())?)? / t.sin())?;
            let rest = match walk.fresh > 0.0 {
                true => ((rest * (1.0 - walk.fresh).sqrt())? + draw(walk.fresh.sqrt() * walk.temperature)?)?,
                false => rest,
            };
            let next = t - step;
            x = ((&image * next.cos())? + (rest * next.sin())?)?;
            sink.emit(&Event::Step { step: level as u64 + 1, note: "" })?;
        }
        sink.emit(&Event::End)?;
        scale.show(&image)
    }

    /// The energy of each image, pixels in `[0, 1]`, nats: the mean over the choice's noise levels and draws of noise, which
    /// are the same for all images.
    pub(super) fn judge<'a>(
        &self,
        images: &[f32],
        energy: &dyn Fn(f64) -> Result<Box<dyn Energy + 'a>>,
        choice: &Choice,
        noise: &mut Noise,
    ) -> Result<Vec<f32>> {
        let rows = images.len() / self.scene.size();
        let u = self.scale.hide(images.to_vec(), shape(self.scene, rows))?;
        let mut sum = Tensor::zeros(rows, DType::F32, &Device::Cpu)?;
        for t in &choice.angles {
            let energy = energy(*t)?;
            for _ in 0..choice.draws {
                let eps = noise.normal(shape(self.scene, 1), DType::F32, &Device::Cpu)?;
                sum = (sum + energy.evaluate(&(&u * t.cos())?.broadcast_add(&(eps * t.sin())?)?)?.energy)?;
            }
        }
        Ok((sum / (choice.angles.len() * choice.draws) as f64)?.to_vec1::<f32>()?)
    }
}
