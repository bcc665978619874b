//! Images drawn from energies that are known at every noise level.

use super::config::Choice;
use super::expert::{half_square, shape};
use super::scene::{Scale, Scene};
use crate::experiment::draw::{WATCHED, show, velocity_of};
use candle_core::{DType, Device, Tensor};
use ebmotion::energy::compose::{Scaled, Sum};
use ebmotion::energy::{Energy, Evaluated};
use ebmotion::event::{Event, Sink};
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::{Conditions, Eta, Moment, Sampler, SamplerConfig};
use ebmotion::{Error, Result};
use std::cell::RefCell;

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
    let mut sum = Sum::new();
    for (factor, energy) in parts {
        weights += factor;
        sum = sum.with(Scaled { energy, factor });
    }
    Box::new(sum.with(Scaled { energy: Normal, factor: 1.0 - weights }))
}

/// Images in the order of their energies, the lowest first.
pub(super) fn by_energy(energies: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..energies.len()).collect();
    order.sort_by(|a, b| energies[*a].total_cmp(&energies[*b]));
    order
}

/// Draws images, and judges them.
pub(super) struct Drawer<'a> {
    pub(super) scene: Scene,
    pub(super) scale: Scale,
    pub(super) sampler: &'a SamplerConfig,
}

impl Drawer<'_> {
    /// `rows` images from noise; `energy` gives the energy at a noise angle. The answer is in `[0, 1]`.
    ///
    /// The energy says by its gradient what an image is without its noise; that is held between black and white.
    pub(super) fn draw<'a>(
        &self,
        rows: usize,
        energy: &dyn Fn(f64) -> Result<Box<dyn Energy + 'a>>,
        noise: &mut Noise,
        phase: &str,
        sink: &mut dyn Sink,
    ) -> Result<Vec<f32>> {
        let Self { scene, scale, sampler } = *self;
        let start = noise.normal(shape(scene, rows), DType::F32, &Device::Cpu)?;
        let conditions = Conditions { bounds: Some(scale.limits()), ..Conditions::default() };
        let way = Sampler::new(sampler)?.given(conditions);
        sink.emit(&Event::Begin { phase, total: sampler.levels as u64 })?;
        let energies = RefCell::new(None);
        let model = |x: &Tensor, t: f64| {
            let at = energy(t)?.evaluate(x)?;
            energies.replace(Some(at.energy));
            velocity_of(x, &at.grad, t)
        };
        let image = way.run_watched(
            &model,
            (start * sampler.temperature)?,
            noise,
            Some(&mut |at: &Moment<'_>| {
                if sink.stop_requested() {
                    return Err(Error::Interrupted { step: at.level as u64, saved: None });
                }
                if let (true, Some(energies)) = (sink.watches_chains(), &*energies.borrow()) {
                    let first = |x: &Tensor| x.narrow(0, 0, WATCHED.min(rows));
                    let images = scene.images(&scale.show(&first(at.denoised)?)?)?;
                    show(at.level, &images, &first(energies)?, sink)?;
                }
                sink.emit(&Event::Step { step: at.level as u64 + 1, note: "" })
            }),
        )?;
        sink.emit(&Event::End)?;
        if sampler.eta != Eta::NONE {
            // Noise that the last level does not need counts all the same: draws after it stay what they were.
            noise.next_draw();
        }
        scale.show(&image)
    }

    /// The energy of each image, pixels in `[0, 1]`, nats: the mean over the choice's noise levels and draws of noise,
    /// which are the same for all images.
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
