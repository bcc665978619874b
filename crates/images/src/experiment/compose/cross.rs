//! Size x position on pairs that were never seen: two energies added against one network of both (Du & Mordatch 2019, the
//! section on cross product latents).
//!
//! Seen are all sizes at one place, all places at one size, and a share of the other pairs. The energies and the baseline
//! learn from the same images, drawn with the same frequencies.

use super::config::{ComposeConfig, CrossConfig, NetworkLearning};
use super::deconvolution::Deconvolution;
use super::draw::{self, Drawer, by_energy};
use super::expert::{Expert, Kind, Shelf};
use super::scene::{Astray, Attribute, Scale, Scene, SceneBatches, context};
use crate::image::Images;
use crate::image::sprites::Sprite;
use ebmotion::energy::Energy;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::train::objective::GenerativeLoss;
use ebmotion::{Error, Result};
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
    /// Mean squared error of the mean of the drawn images that were kept, pixels in `[0, 1]`, over test pairs and runs.
    pub energies: Estimate,
    /// The same of the one drawn image with the lowest energy.
    pub lowest: Estimate,
    /// The same of single drawn images, kept or not.
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
    /// All sizes at the place in the middle, and all places at the size.
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
        Ok(Self { always, joint: joint[..kept].to_vec(), test: joint[kept..].to_vec() })
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
#[derive(Clone)]
struct Errors {
    energies: f64,
    lowest: f64,
    single: f64,
    baseline: f64,
}

/// Rows of a picture: truth, energies, baseline; a column a pair.
type Strip = Vec<f32>;

/// Test pairs that are shown.
pub(super) const SHOWN: usize = 12;

/// The networks of one run, which learn on from share to share.
struct Networks {
    size: Expert,
    place: Expert,
    baseline: GenerativeLoss<Deconvolution>,
}

impl Networks {
    fn new(config: &ComposeConfig, noise: &Noise) -> Result<Self> {
        let (scene, cross) = (config.scene(), &config.cross);
        let width = |learning: &NetworkLearning| learning.width;
        let baseline = Deconvolution::new(scene.side, width(&cross.baseline), &mut noise.fork(2))?;
        Ok(Self {
            size: Expert::new(Kind::Local, scene, Attribute::Size, width(&cross.size_energy), &noise.fork(0))?
                .recovering(cross.size_recovery.lowest)?,
            place: Expert::new(
                Kind::Placed,
                scene,
                Attribute::Position,
                width(&cross.position_energy),
                &noise.fork(1),
            )?
            .recovering(cross.position_recovery.lowest)?,
            baseline: GenerativeLoss { model: baseline },
        })
    }

    /// All three learn from the same images, each for `part` of its steps; `at` names the share.
    fn learn(
        &mut self,
        (config, scale): (&ComposeConfig, Scale),
        seen: &[Sprite],
        (at, part): (&str, f64),
        noise: &Noise,
        shelf: &mut Shelf<'_>,
    ) -> Result<()> {
        let (scene, cross) = (config.scene(), &config.cross);
        let by = [Attribute::Size, Attribute::Position].map(|a| Balanced::by(a, seen));
        let by_size = |count: usize, noise: &mut Noise| by[0].draw(count, noise);
        let by_place = |count: usize, noise: &mut Noise| by[1].draw(count, noise);
        // The size's energy is shown other sizes at the same place, the position's images without a sprite.
        let beside = |sprite: &Sprite, uniform: f64| {
            let same = |s: &&Sprite| (s.column, s.row) == (sprite.column, sprite.row);
            let there: Vec<&Sprite> = seen.iter().filter(same).collect();
            there.get((uniform * there.len() as f64) as usize).map(|s| **s)
        };
        let without = |_: &Sprite, _: f64| None;
        // Of any image, the energy must know what that given the position takes for granted.
        let astray = Some(Astray { share: cross.size_recovery.share, shown: &beside });
        let attributes = &[Attribute::Size];
        let source = SceneBatches { scene, scale, attributes, choose: &by_size, untold: Some(&by_place), astray };
        self.size.learn(&format!("size {at}"), &source, &cross.size_energy.part(part), &noise.fork(0), shelf)?;
        let astray = Some(Astray { share: cross.position_recovery.share, shown: &without });
        let attributes = &[Attribute::Position];
        let source = SceneBatches { scene, scale, attributes, choose: &by_place, untold: None, astray };
        let learning = cross.position_energy.part(part);
        self.place.learn(&format!("position {at}"), &source, &learning, &noise.fork(1), shelf)?;
        // The images of both energies.
        let both = |count: usize, noise: &mut Noise| {
            let mut both = by_size(count / 2, noise);
            both.extend(by_place(count - count / 2, noise));
            both
        };
        let source = SceneBatches {
            scene,
            scale,
            attributes: &Deconvolution::ATTRIBUTES,
            choose: &both,
            untold: None,
            astray: None,
        };
        let name = format!("deconvolution {at}");
        shelf.learn(&name, &mut self.baseline, &source, &cross.baseline.part(part), &noise.fork(3))
    }

    /// The energy of `asked` at the noise level of angle `t`.
    fn energy(&self, cross: &CrossConfig, asked: &[Sprite], t: f64) -> Result<Box<dyn Energy + '_>> {
        let (weight, size) = (cross.handover.at(t), cross.handover.size);
        let parts: [(f64, Box<dyn Energy>); 3] = [
            (weight, Box::new(self.place.at(t, asked)?)),
            (1.0 + weight * (size - 1.0), Box::new(self.size.at(t, asked)?)),
            (-weight * size, Box::new(self.size.of_any(t)?)),
        ];
        Ok(draw::all(parts))
    }
}

/// What one run was asked at one share.
struct Trial {
    errors: Vec<Errors>,
    /// Truth, the drawn image with the lowest energy, the baseline's, each of the first few test pairs.
    strips: [Strip; 3],
}

impl Trial {
    fn new(
        (config, scale): (&ComposeConfig, Scale),
        networks: &Networks,
        test: &[Sprite],
        at: &str,
        noise: &Noise,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let (scene, cross) = (config.scene(), &config.cross);
        let asked: Vec<Sprite> = test.iter().flat_map(|s| std::iter::repeat_n(*s, cross.chains)).collect();
        let drawer = Drawer { scene, scale, sampler: &cross.sampler };
        let energy = |t: f64| networks.energy(cross, &asked, t);
        let drawn = drawer.draw(asked.len(), &energy, &mut noise.fork(4), &format!("images {at}"), sink)?;
        let energies = drawer.judge(&drawn, &energy, &config.choice, &mut noise.fork(5))?;
        let told = context(&Deconvolution::ATTRIBUTES, test)?;
        let given = scale.show(&networks.baseline.model.forward(&told)?.detach())?;
        let given: Vec<f32> = given.into_iter().map(|v| v.clamp(0.0, 1.0)).collect();
        let truth = scene.draw_all(test);
        let (pixels, chains, kept) = (scene.size(), cross.chains, cross.kept);
        let (mut errors, mut chosen) = (Vec::new(), Vec::new());
        for (pair, (truth, given)) in truth.chunks(pixels).zip(given.chunks(pixels)).enumerate() {
            let of = |chain: usize| &drawn[(pair * chains + chain) * pixels..][..pixels];
            let energies = &energies[pair * chains..][..chains];
            let order = by_energy(energies);
            let mean = |p: usize| order[..kept].iter().map(|chain| of(*chain)[p]).sum::<f32>() / kept as f32;
            let mean: Vec<f32> = (0..pixels).map(mean).collect();
            errors.push(Errors {
                energies: error(&mean, truth),
                lowest: error(of(order[0]), truth),
                single: (0..chains).map(|chain| error(of(chain), truth)).sum::<f64>() / chains as f64,
                baseline: error(given, truth),
            });
            chosen.extend_from_slice(of(order[0]));
        }
        let shown = SHOWN.min(test.len()) * pixels;
        Ok(Self { errors, strips: [truth, chosen, given].map(|strip| strip[..shown].to_vec()) })
    }
}

/// Mean squared error of two images.
fn error(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

/// The figures, and a picture of the first run: truth, then energies and baseline at each share.
pub(super) fn run(config: &ComposeConfig, noise: &Noise, shelf: &mut Shelf<'_>) -> Result<(Cross, Images)> {
    let (scene, cross) = (config.scene(), &config.cross);
    let runs = 0..cross.runs as u64;
    let pairs: Vec<Pairs> =
        runs.map(|run| Pairs::new(scene, cross, &mut noise.fork(run).fork(0))).collect::<Result<_>>()?;
    let always = scene.draw_all(&pairs[0].always);
    let with = (config, Scale::of(&always));
    // Of each share, the errors of each run.
    let mut errors = vec![Vec::new(); cross.fractions.len()];
    let (mut picture, mut parameters) = (Vec::new(), [0; 3]);
    for (run, pairs) in pairs.iter().enumerate() {
        let noise = noise.fork(run as u64);
        let mut networks = Networks::new(config, &noise.fork(1))?;
        for (i, &fraction) in cross.fractions.iter().enumerate() {
            let noise = noise.fork(2 + i as u64);
            let at = match cross.runs {
                1 => format!("at {} %", 100.0 * fraction),
                _ => format!("at {} %, run {run}", 100.0 * fraction),
            };
            let part = if i == 0 { 1.0 } else { cross.further };
            networks.learn(with, &pairs.seen(fraction), (&at, part), &noise, shelf)?;
            let trial = Trial::new(with, &networks, &pairs.test, &at, &noise, shelf.sink)?;
            errors[i].push(trial.errors);
            if run == 0 {
                let [truth, energies, baseline] = trial.strips;
                picture.extend(if i == 0 { truth } else { Vec::new() });
                picture.extend(energies);
                picture.extend(baseline);
            }
        }
        parameters = [networks.size.parameters(), networks.place.parameters(), networks.baseline.model.count()];
    }
    let row = |(&fraction, runs): (&f64, &Vec<Vec<Errors>>)| {
        let of = |value: &dyn Fn(&Errors) -> f64| Estimate::of(&runs.iter().flatten().map(value).collect::<Vec<_>>());
        let less = |e: &Errors| e.energies - e.baseline;
        CrossRow {
            fraction,
            joint_pairs: pairs[0].seen(fraction).len() - pairs[0].always.len(),
            energies: of(&|e| e.energies),
            lowest: of(&|e| e.lowest),
            single: of(&|e| e.single),
            baseline: of(&|e| e.baseline),
            difference: of(&less),
            difference_by_run: runs.iter().map(|r| r.iter().map(less).sum::<f64>() / r.len() as f64).collect(),
        }
    };
    let rows = cross.fractions.iter().zip(&errors).map(row).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_pairs_are_never_seen_and_shares_are_nested() -> Result<()> {
        let config = ComposeConfig { positions: 4, ..ComposeConfig::default() };
        let pairs = Pairs::new(config.scene(), &config.cross, &mut Noise::new(1))?;
        // 6 sizes at one place and 16 places at one size share a pair; 5 x 15 others, 15 % of which are kept for the test.
        assert_eq!((pairs.always.len(), pairs.joint.len(), pairs.test.len()), (21, 64, 11));
        let (half, whole) = (pairs.seen(0.5), pairs.seen(1.0));
        assert_eq!((half.len(), whole.len()), (53, 85));
        assert!(half.iter().all(|s| whole.contains(s)) && whole.iter().all(|s| !pairs.test.contains(s)));
        // Without joint pairs an image of the commonest size is drawn as often as one of any other.
        let drawn = Balanced::by(Attribute::Size, &pairs.always).draw(6000, &mut Noise::new(2));
        for size in 0..6 {
            let share = drawn.iter().filter(|s| s.size == size).count() as f64 / 6000.0;
            // The standard error is 0.0048.
            assert!((share - 1.0 / 6.0).abs() < 0.02, "{size}: {share}");
        }
        Ok(())
    }
}
