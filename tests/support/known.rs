//! Densities of the plane that objectives are to learn, and how far an energy's draws are from one.

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::noise::Noise;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::{Metropolis, Transition};
use ebmotion::train::{Batch, BatchSource};
use std::f64::consts::TAU;

const CPU: Device = Device::Cpu;
/// Half the width of the box that chains start in and are held in.
pub const BOX: f64 = 2.6;
/// Chains that an energy is judged by.
pub const CHAINS: usize = 1000;

/// Isotropic Gaussians of one standard deviation: weight and centre of each.
pub struct Mixture {
    pub parts: Vec<(f64, [f64; 2])>,
    pub std: f64,
}

impl Mixture {
    pub fn square() -> Self {
        let parts = vec![(0.1, [-1., -1.]), (0.2, [-1., 1.]), (0.3, [1., -1.]), (0.4, [1., 1.])];
        Self { parts, std: 0.4 }
    }

    /// Two opposite places on the unit circle.
    pub fn pair(angle: f64) -> Self {
        let (y, x) = angle.sin_cos();
        Self { parts: vec![(0.7, [x, y]), (0.3, [-x, -y])], std: 0.4 }
    }

    /// The density of `cos(t) u + sin(t) eps`.
    pub fn blurred(&self, t: f64) -> Self {
        let (sin, cos) = t.sin_cos();
        let parts = self.parts.iter().map(|(w, c)| (*w, c.map(|v| v * cos))).collect();
        Self { parts, std: ((self.std * cos).powi(2) + sin * sin).sqrt() }
    }

    pub fn density(&self, x: [f64; 2]) -> f64 {
        let square = self.std * self.std;
        let part = |(w, c): &(f64, [f64; 2])| {
            let away = (x[0] - c[0]).powi(2) + (x[1] - c[1]).powi(2);
            w * (-0.5 * away / square).exp() / (TAU * square)
        };
        self.parts.iter().map(part).sum()
    }

    /// One draw from a uniform number and two normal ones.
    fn draw(&self, uniform: f64, eps: [f64; 2]) -> [f64; 2] {
        let mut left = uniform;
        let mut chosen = self.parts[0].1;
        for (w, c) in &self.parts {
            chosen = *c;
            left -= w;
            if left < 0.0 {
                break;
            }
        }
        [chosen[0] + self.std * eps[0], chosen[1] + self.std * eps[1]]
    }
}

/// Examples of the square, or of a pair whose direction is the context.
pub struct Draws {
    pub conditional: bool,
    pub held_out: bool,
}

impl BatchSource for Draws {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let uniforms = noise.uniform((size, 4), DType::F64, &CPU)?.to_vec2::<f64>()?;
        let eps = noise.normal((size, 2), DType::F64, &CPU)?.to_vec2::<f64>()?;
        let (mut x, mut context, mut start) = (Vec::new(), Vec::new(), Vec::new());
        for (uniforms, eps) in uniforms.iter().zip(&eps) {
            let (y0, x0) = (uniforms[1] * TAU).sin_cos();
            let from = if self.conditional { Mixture::pair(uniforms[1] * TAU) } else { Mixture::square() };
            x.extend(from.draw(uniforms[0], [eps[0], eps[1]]).map(|v| v as f32));
            context.extend([x0 as f32, y0 as f32]);
            start.extend([uniforms[2], uniforms[3]].map(|u| ((2.0 * u - 1.0) * BOX) as f32));
        }
        let rows = |v: Vec<f32>| Tensor::from_vec(v, (size, 2), &CPU);
        let context = if self.conditional { Some(rows(context)?) } else { None };
        Ok(Batch { x: rows(x)?, context, start: Some(rows(start)?) })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        self.held_out.then(|| self.batch(64, &mut Noise::new(99))).transpose()
    }
}

/// Total variation between a histogram of draws from the learned energy and the exact probabilities of its cells. Draws
/// come from Metropolis-adjusted Langevin chains with uniform starts, which find modes by themselves. Among 4000 exact
/// draws it is some 0.05.
pub fn total_variation(energy: &dyn Energy, target: &Mixture) -> Result<f64> {
    const CELLS: usize = 12;
    let mut noise = Noise::new(5);
    let start = noise.uniform((CHAINS, 2), DType::F32, &CPU)?.affine(2.0 * BOX, -BOX)?;
    let mala = Metropolis(Langevin { bounds: Some((-BOX, BOX)), ..Langevin::calibrated(0.2) });
    let mut state = mala.run_from(energy, &start, 300, &mut noise)?.0;
    let width = 2.0 * BOX / CELLS as f64;
    let mut counts = [0.0; CELLS * CELLS];
    for _ in 0..4 {
        state = mala.run(energy, &state, 50, &mut noise)?;
        for x in state.x.to_vec2::<f32>()? {
            let cell = |v: f32| (((f64::from(v) + BOX) / width) as usize).min(CELLS - 1);
            counts[cell(x[0]) * CELLS + cell(x[1])] += 1.0 / (4 * CHAINS) as f64;
        }
    }
    let mut expected = [0.0; CELLS * CELLS];
    const FINE: usize = 8;
    for (i, e) in expected.iter_mut().enumerate() {
        for k in 0..FINE * FINE {
            let at = |cell: usize, k: usize| -BOX + (cell as f64 + (k as f64 + 0.5) / FINE as f64) * width;
            *e += target.density([at(i / CELLS, k / FINE), at(i % CELLS, k % FINE)]) * (width / FINE as f64).powi(2);
        }
    }
    Ok(0.5 * counts.iter().zip(expected).map(|(a, b)| (a - b).abs()).sum::<f64>())
}

pub fn rows_of(context: [f64; 2], rows: usize) -> Result<Tensor> {
    Ok(Tensor::new(&[context.map(|v| v as f32)], &CPU)?.repeat((rows, 1))?)
}
