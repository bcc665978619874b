//! Size x position on pairs that were never seen: two energies added against one network of both (Du & Mordatch 2019, the
//! section on cross product latents).
//!
//! Seen are all sizes at one place, all places at one size, and a share of the other pairs. The energies and the baseline
//! learn from the same images, drawn with the same frequencies.

use super::config::{ComposeConfig, CrossConfig};
use super::deconvolution::Deconvolution;
use super::expert::{Expert, Kind, Shelf};
use super::scene::{Attribute, Drawn, Scale, Scene, context};
use super::walk::{self, Walker};
use crate::energy::Energy;
use crate::error::{Error, Result};
use crate::image::Images;
use crate::image::sprites::Sprite;
use crate::noise::Noise;
use crate::train::objective::Fit;
use serde::Serialize;

/// A mean and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error, from the spread of what it is the mean of; 0 for a single value.
    pub error: f64,
}

impl Estimate {
    pub(super) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        Self { mean, error: if n > 1.0 { (square / (n - 1.0) / n).sqrt() } else { 0.0 } }
    }
}

/// What was measured at one share of joint pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossRow {
    /// Share of the joint pairs that were trained on.
    pub fraction: f64,
    /// Their number.
    pub joint_pairs: usize,
    /// Mean squared error of the mean of the drawn images, pixels in `[0, 1]`, over test pairs and runs.
    pub energies: Estimate,
    /// The same of single drawn images.
    pub single: Estimate,
    /// The same of the baseline's image.
    pub baseline: Estimate,
    /// The energies' error less the baseline's, pair by pair; negative where the energies are better.
    pub difference: Estimate,
    /// Mean error of the energies less the baseline's in each run.
    pub difference_by_run: Vec<f64>,
}

/// Size x position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cross {
    /// A row a share of joint pairs.
    pub rows: Vec<CrossRow>,
    /// Test pairs of a run.
    pub test_pairs: usize,
    /// Error of the mean of all training images without joint pairs: what knows nothing.
    pub of_the_mean: f64,
    /// Trainable numbers of the energy of size, that of position, and the baseline.
    pub parameters: [usize; 3],
}

/// The pairs of one run.
struct Pairs {
    scene: Scene,
    /// `(size, column, row)` of all sizes at the place and of all places at the size.
    always: Vec<Sprite>,
    /// Joint pairs in the order in which they are added.
    joint: Vec<Sprite>,
    test: Vec<Sprite>,
}

impl Pairs {
    fn new(scene: Scene, config: &CrossConfig, noise: &mut Noise) -> Result<Self> {
        let middle = scene.place(scene.positions / 2);
        let (mut always, mut joint) = (Vec::new(), Vec::new());
        for size in 0..Attribute::Size.values() {
            for place in 0..scene.positions * scene.positions {
                let [column, row] = [place % scene.positions, place / scene.positions].map(|i| scene.place(i));
                let sprite = Sprite { shape: config.shape, size, rotation: config.rotation, column, row };
                match size == config.size || (column, row) == (middle, middle) {
                    true => always.push(sprite),
                    false => joint.push(sprite),
                }
            }
        }
        let order = noise.permutation(joint.len());
        let joint: Vec<Sprite> = order.into_iter().map(|i| joint[i]).collect();
        let kept = (joint.len() as f64 * (1.0 - config.test_share)).round() as usize;
        if kept == joint.len() {
            let expected = format!("more than {}, for one test pair", 0.5 / joint.len() as f64);
            return Err(Error::config("cross.test_share", config.test_share, expected));
        }
        Ok(Self { scene, always, joint: joint[..kept].to_vec(), test: joint[kept..].to_vec() })
    }

    fn seen(&self, fraction: f64) -> Vec<Sprite> {
        let joint = &self.joint[..(fraction * self.joint.len() as f64).round() as usize];
        self.always.iter().chain(joint).copied().collect()
    }
}

/// Draws an image of every value of an attribute as often.
struct Balanced {
    groups: Vec<Vec<Sprite>>,
}

impl Balanced {
    fn new(seen: &[Sprite], value: impl Fn(&Sprite) -> usize) -> Self {
        let count = seen.iter().map(&value).max().unwrap_or(0) + 1;
        let mut groups = vec![Vec::new(); count];
        seen.iter().for_each(|sprite| groups[value(sprite)].push(*sprite));
        groups.retain(|g| !g.is_empty());
        Self { groups }
    }

    fn by(attribute: Attribute, seen: &[Sprite]) -> Self {
        match attribute {
            Attribute::Position => Self::new(seen, |s| s.row * 64 + s.column),
            _ => Self::new(seen, |s| s.size),
        }
    }

    fn draw(&self, count: usize, noise: &mut Noise) -> Vec<Sprite> {
        let groups = noise.indices(count, self.groups.len());
        let within = noise.indices(count, 1 << 32);
        let one = |(group, at): (&usize, usize)| {
            let group = &self.groups[*group];
            group[(at * group.len()) >> 32]
        };
        groups.iter().zip(within).map(one).collect()
    }
}

/// Squared errors of one test pair.
struct Errors {
    energies: f64,
    single: f64,
    baseline: f64,
}

/// Rows of a picture: truth, energies, baseline; a column a pair.
type Strip = Vec<f32>;

/// One run at one share.
struct Trial {
    errors: Vec<Errors>,
    parameters: [usize; 3],
    /// Truth, one drawn image, the baseline's, each of the first few test pairs.
    strips: [Strip; 3],
}

/// Test pairs that are shown.
pub(super) const SHOWN: usize = 12;

fn trial(
    config: &ComposeConfig,
    pairs: &Pairs,
    scale: Scale,
    (run, fraction): (usize, f64),
    noise: &Noise,
    shelf: &mut Shelf<'_>,
) -> Result<Trial> {
    let (scene, cross) = (pairs.scene, &config.cross);
    let seen = pairs.seen(fraction);
    let by = [Attribute::Size, Attribute::Position].map(|a| Balanced::by(a, &seen));
    let name = |what: &str| match cross.runs {
        1 => format!("{what} at {} %", 100.0 * fraction),
        _ => format!("{what} at {} % run {run}", 100.0 * fraction),
    };
    let by_size = |count: usize, noise: &mut Noise| by[0].draw(count, noise);
    let by_place = |count: usize, noise: &mut Noise| by[1].draw(count, noise);
    // Of any image, the energy must know what that given the position takes for granted.
    let attributes = &[Attribute::Size];
    let source = Drawn { scene, scale, attributes, choose: &by_size, untold: Some(&by_place) };
    let size = Expert::learn(&name("size"), Kind::Local, &source, &cross.size_energy, &noise.fork(0), shelf)?;
    let source = Drawn { scene, scale, attributes: &[Attribute::Position], choose: &by_place, untold: None };
    let place = Expert::learn(&name("position"), Kind::Placed, &source, &cross.position_energy, &noise.fork(1), shelf)?;
    // The images of both energies.
    let choose = |count: usize, noise: &mut Noise| {
        let mut both = by[0].draw(count / 2, noise);
        both.extend(by[1].draw(count - count / 2, noise));
        both
    };
    let source = Drawn { scene, scale, attributes: &Deconvolution::ATTRIBUTES, choose: &choose, untold: None };
    let baseline = Deconvolution::new(scene.side, cross.baseline.width, &mut noise.fork(2))?;
    let mut baseline = Fit { model: baseline };
    shelf.learn(&name("deconvolution"), &mut baseline, &source, &cross.baseline, &noise.fork(3))?;

    let asked: Vec<Sprite> = pairs.test.iter().flat_map(|s| std::iter::repeat_n(*s, cross.chains)).collect();
    let energy = |t: f64| -> Result<Box<dyn Energy + '_>> {
        let (weight, extra) = (cross.handover.at(t), cross.handover.size);
        let parts: [(f64, Box<dyn Energy>); 3] = [
            (weight, Box::new(place.at(t, &asked)?)),
            (1.0 + weight * (extra - 1.0), Box::new(size.at(t, &asked)?)),
            (-weight * extra, Box::new(size.of_any(t)?)),
        ];
        Ok(walk::all(parts))
    };
    let walker = Walker { scene, scale, walk: &cross.walk };
    let drawn = walker.draw(asked.len(), &energy, &mut noise.fork(4), &name("images"), shelf.sink)?;
    let told = context(&Deconvolution::ATTRIBUTES, &pairs.test)?;
    let given: Vec<f32> =
        scale.show(&baseline.model.forward(&told)?.detach())?.iter().map(|v| v.clamp(0.0, 1.0)).collect();
    let truth = scene.draw_all(&pairs.test);
    let pixels = scene.size();
    let errors = (0..pairs.test.len()).map(|i| {
        let truth = &truth[i * pixels..(i + 1) * pixels];
        let chains = &drawn[i * cross.chains * pixels..(i + 1) * cross.chains * pixels];
        let mean: Vec<f32> =
            (0..pixels).map(|p| chains.iter().skip(p).step_by(pixels).sum::<f32>() / cross.chains as f32).collect();
        let singles = chains.chunks(pixels).map(|c| error(c, truth)).sum::<f64>() / cross.chains as f64;
        let baseline = error(&given[i * pixels..(i + 1) * pixels], truth);
        Errors { energies: error(&mean, truth), single: singles, baseline }
    });
    let errors = errors.collect();
    let shown = SHOWN.min(pairs.test.len()) * pixels;
    let first: Vec<f32> = drawn.chunks(pixels).step_by(cross.chains).flatten().copied().collect();
    let strips = [truth[..shown].to_vec(), first[..shown].to_vec(), given[..shown].to_vec()];
    let parameters = [size.parameters(), place.parameters(), baseline.model.count()];
    Ok(Trial { errors, parameters, strips })
}

/// Mean squared error of two images.
fn error(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

/// The figures, and a picture of the first run: truth, then energies and baseline at each share.
pub(super) fn run(config: &ComposeConfig, noise: &Noise, shelf: &mut Shelf<'_>) -> Result<(Cross, Images)> {
    let (scene, cross) = (config.scene(), &config.cross);
    let mut rows = Vec::new();
    let (mut picture, mut parameters) = (Vec::new(), [0; 3]);
    let pairs: Vec<Pairs> = (0..cross.runs)
        .map(|run| Pairs::new(scene, cross, &mut noise.fork(run as u64).fork(0)))
        .collect::<Result<_>>()?;
    let always = scene.draw_all(&pairs[0].always);
    let scale = Scale::of(&always);
    for &fraction in &cross.fractions {
        let mut errors = Vec::new();
        let mut by_run = Vec::new();
        for (run, pairs) in pairs.iter().enumerate() {
            let noise = noise.fork(run as u64).fork(1 + (fraction * 1e6).round() as u64);
            let trial = trial(config, pairs, scale, (run, fraction), &noise, shelf)?;
            let n = trial.errors.len() as f64;
            by_run.push(trial.errors.iter().map(|e| e.energies - e.baseline).sum::<f64>() / n);
            errors.extend(trial.errors);
            if run == 0 {
                let [truth, energies, baseline] = trial.strips;
                if picture.is_empty() {
                    picture.extend(truth);
                }
                picture.extend(energies);
                picture.extend(baseline);
            }
            parameters = trial.parameters;
        }
        let of = |value: &dyn Fn(&Errors) -> f64| Estimate::of(&errors.iter().map(value).collect::<Vec<_>>());
        rows.push(CrossRow {
            fraction,
            joint_pairs: pairs[0].seen(fraction).len() - pairs[0].always.len(),
            energies: of(&|e| e.energies),
            single: of(&|e| e.single),
            baseline: of(&|e| e.baseline),
            difference: of(&|e| e.energies - e.baseline),
            difference_by_run: by_run,
        });
    }
    let pixels = scene.size();
    let count = (always.len() / pixels) as f32;
    let mean: Vec<f32> = (0..pixels).map(|p| always.iter().skip(p).step_by(pixels).sum::<f32>() / count).collect();
    let test = scene.draw_all(&pairs[0].test);
    let of_the_mean = Estimate::of(&test.chunks(pixels).map(|t| error(t, &mean)).collect::<Vec<_>>()).mean;
    let cross = Cross { rows, test_pairs: pairs[0].test.len(), of_the_mean, parameters };
    Ok((cross, scene.images(&picture)?))
}

/// All images of the pairs, seen or not: what the experiment is about.
pub(super) fn data(config: &ComposeConfig) -> Result<Images> {
    let scene = config.scene();
    let pairs = Pairs::new(scene, &config.cross, &mut Noise::new(config.seed))?;
    let mut all = [pairs.always, pairs.joint, pairs.test].concat();
    all.sort_by_key(Sprite::index);
    scene.images(&scene.draw_all(&all))
}
