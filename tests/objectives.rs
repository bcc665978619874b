//! The contract of objectives: each learns densities that are known, and goes on after a break to the same bits. A new
//! objective is one row of [`objectives`].

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use candle_core::{DType, Device, Tensor};
use ebmotion::energy::Energy;
use ebmotion::energy::compose::Scaled;
use ebmotion::error::{Error, Result};
use ebmotion::event::{Event, Silent, Sink};
use ebmotion::model::{Activation, Fixed, LevelEnergy, Mlp, MlpConfig, MlpEnergy};
use ebmotion::noise::Noise;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::{Metropolis, Transition};
use ebmotion::train::objective::{
    Around, Contrastive, ContrastiveConfig, Coupling, Denoising, EnergyMatching, EnergyMatchingConfig, Form,
    ImprovedConfig, ImprovedContrastive, InfoNce, InfoNceConfig, Recovery, RecoveryConfig,
};
use ebmotion::train::{AdamConfig, Batch, CheckpointPlan, Clip, Decay, Objective, Source, TrainConfig, train};
use std::f64::consts::TAU;
use std::time::Instant;

const CPU: Device = Device::Cpu;
/// Half the width of the box that chains start in and are held in.
const BOX: f64 = 2.6;

/// An objective and the energy in nats that it has learned.
trait Learner: Objective {
    /// The energy of `rows` chains at temperature 1, given a context `(rows, 2)` where the objective has one.
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, rows: usize) -> Result<Box<dyn Energy + 'a>>;

    /// Noise angle at which the energy is learned: it is that of `cos(t) u + sin(t) eps` in place of the data `u`.
    fn angle(&self) -> f64 {
        0.0
    }
}

macro_rules! learner {
    ($type:ty) => {
        impl Learner for $type {
            fn learned<'a>(&'a self, context: Option<&'a Tensor>, _: usize) -> Result<Box<dyn Energy + 'a>> {
                Ok(Box::new(Fixed { network: self.network(), context }))
            }
        }
    };
}

learner!(Contrastive<MlpEnergy>);
learner!(ImprovedContrastive<MlpEnergy>);
learner!(InfoNce<MlpEnergy>);

impl Learner for EnergyMatching<MlpEnergy> {
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, _: usize) -> Result<Box<dyn Energy + 'a>> {
        let energy = Fixed { network: self.network(), context };
        Ok(Box::new(Scaled { energy, factor: 1.0 / self.config().temperature }))
    }
}

/// Noise angle at which denoising is judged.
const ANGLE: f64 = 0.1;

impl Learner for Denoising {
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, rows: usize) -> Result<Box<dyn Energy + 'a>> {
        Ok(Box::new(self.energy.conditioned(context, rows)?.at(ANGLE)?))
    }

    fn angle(&self) -> f64 {
        ANGLE
    }
}

impl Learner for Recovery {
    fn learned<'a>(&'a self, context: Option<&'a Tensor>, rows: usize) -> Result<Box<dyn Energy + 'a>> {
        Ok(Box::new(self.energy().conditioned(context, rows)?.at(self.angle())?))
    }

    fn angle(&self) -> f64 {
        self.config().lowest
    }
}

fn config(context: usize) -> MlpConfig {
    let activation = Activation::Swish;
    MlpConfig { inputs: 2, context, hidden: vec![64, 64], outputs: 1, activation, spectral_norm: false }
}

fn network(context: usize) -> Result<MlpEnergy> {
    Ok(MlpEnergy { net: Mlp::new(config(context), &mut Noise::new(1), DType::F32, &CPU)? })
}

fn levels(context: usize) -> Result<LevelEnergy> {
    LevelEnergy::new(config(context), &mut Noise::new(1), DType::F32, &CPU)
}

/// Chains at temperature 1.
fn chains() -> ContrastiveConfig {
    ContrastiveConfig {
        form: Form::Linear,
        energy_l2: 0.01,
        steps: 20,
        step_size: 0.025,
        noise: 0.05f64.sqrt(),
        gradient_clip: None,
        bounds: Some((-BOX, BOX)),
        replay: 4096,
        fresh: 0.02,
    }
}

/// Makes an objective for arrays of two numbers in some shape, a width of context and a number of training steps.
type Make = fn(&[usize], usize, u64) -> Result<Box<dyn Learner>>;

/// One objective: how it is made, how it is trained, and what it must reach.
#[derive(Clone)]
struct Row {
    name: &'static str,
    make: Make,
    steps: u64,
    batch: usize,
    learning_rate: f64,
    /// Largest total variation and largest root mean square of the energy, nats, on the square.
    square: (f64, f64),
    /// The same for the pair given its direction.
    pair: (f64, f64),
}

/// `benches/quality/objectives.md` holds what was measured over three seeds; bounds are at least 1.3 times the worst of
/// them, and every start lies above its bounds. Exact draws would have a total variation of 0.05 to 0.06 on the square.
fn objectives() -> Vec<Row> {
    let usual =
        |name, make, steps, square, pair| Row { name, make, steps, batch: 128, learning_rate: 3e-3, square, pair };
    vec![
        usual(
            "contrastive",
            |x, c, _| Ok(Box::new(Contrastive::new(network(c)?, chains(), x, shape(c))?)),
            1500,
            (0.2, 0.5),
            (0.2, 0.65),
        ),
        usual(
            "improved_contrastive",
            |x, c, _| {
                let config = ImprovedConfig { contrastive: chains(), energy: 1.0, entropy: 1.0 };
                Ok(Box::new(ImprovedContrastive::new(network(c)?, config, x, shape(c))?))
            },
            1500,
            (0.25, 0.7),
            (0.25, 0.9),
        ),
        usual("denoising", |_, c, _| Ok(Box::new(Denoising { energy: levels(c)? })), 6000, (0.22, 0.5), (0.22, 0.7)),
        Row {
            name: "recovery",
            make: |_, c, _| {
                let config = RecoveryConfig { levels: 3, ..Default::default() };
                Ok(Box::new(Recovery::new(levels(c)?, config)?))
            },
            steps: 3000,
            batch: 256,
            learning_rate: 1e-2,
            square: (0.25, 0.85),
            pair: (0.28, 0.88),
        },
        usual(
            "info_nce",
            |_, c, _| {
                let config = InfoNceConfig { negatives: 8, ..Default::default() };
                Ok(Box::new(InfoNce::new(network(c)?, config)?))
            },
            1500,
            (0.13, 0.3),
            (0.15, 0.45),
        ),
        usual(
            "info_nce_around_start",
            |_, c, _| {
                let config = InfoNceConfig { negatives: 8, around: Around::Start, spread: 1.5, ..Default::default() };
                Ok(Box::new(InfoNce::new(network(c)?, config)?))
            },
            1500,
            (0.13, 0.4),
            (0.15, 0.4),
        ),
        usual(
            "info_nce_refined",
            |_, c, _| {
                let bounds = Some((-BOX, BOX));
                let config = InfoNceConfig { negatives: 8, steps: 5, penalty: 1.0, bounds, ..Default::default() };
                Ok(Box::new(InfoNce::new(network(c)?, config)?))
            },
            800,
            (0.3, 0.7),
            (0.3, 0.75),
        ),
        usual(
            "energy_matching",
            |_, c, steps| {
                let config = EnergyMatchingConfig {
                    warmup: steps / 4,
                    coupling: if c == 0 { Coupling::Transport } else { Coupling::Independent },
                    temperature: 0.4,
                    horizon: 8.0,
                    steps: 60,
                    from_data: 0.8,
                    contrast: 5.0,
                    bounds: Some((-BOX, BOX)),
                    ..Default::default()
                };
                Ok(Box::new(EnergyMatching::new(network(c)?, config)?))
            },
            1500,
            (0.18, 0.4),
            (0.2, 0.55),
        ),
    ]
}

fn shape(context: usize) -> Option<&'static [usize]> {
    (context > 0).then_some(&[2])
}

/// Isotropic Gaussians of one standard deviation: weight and centre of each.
struct Mixture {
    parts: Vec<(f64, [f64; 2])>,
    std: f64,
}

impl Mixture {
    fn square() -> Self {
        let parts = vec![(0.1, [-1., -1.]), (0.2, [-1., 1.]), (0.3, [1., -1.]), (0.4, [1., 1.])];
        Self { parts, std: 0.4 }
    }

    /// Two opposite places on the unit circle.
    fn pair(angle: f64) -> Self {
        let (y, x) = angle.sin_cos();
        Self { parts: vec![(0.7, [x, y]), (0.3, [-x, -y])], std: 0.4 }
    }

    /// The density of `cos(t) u + sin(t) eps`.
    fn blurred(&self, t: f64) -> Self {
        let (sin, cos) = t.sin_cos();
        let parts = self.parts.iter().map(|(w, c)| (*w, c.map(|v| v * cos))).collect();
        Self { parts, std: ((self.std * cos).powi(2) + sin * sin).sqrt() }
    }

    fn density(&self, x: [f64; 2]) -> f64 {
        let square = self.std * self.std;
        let part = |(w, c): &(f64, [f64; 2])| {
            let away = (x[0] - c[0]).powi(2) + (x[1] - c[1]).powi(2);
            w * (-0.5 * away / square).exp() / (TAU * square)
        };
        self.parts.iter().map(part).sum()
    }

    /// One draw from a uniform number and two normal ones.
    fn draw(&self, lot: f64, eps: [f64; 2]) -> [f64; 2] {
        let mut left = lot;
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
struct Draws {
    conditional: bool,
    held_out: bool,
}

impl Source for Draws {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let lots = noise.uniform((size, 4), DType::F64, &CPU)?.to_vec2::<f64>()?;
        let eps = noise.normal((size, 2), DType::F64, &CPU)?.to_vec2::<f64>()?;
        let (mut x, mut context, mut start) = (Vec::new(), Vec::new(), Vec::new());
        for (lots, eps) in lots.iter().zip(&eps) {
            let (y0, x0) = (lots[1] * TAU).sin_cos();
            let from = if self.conditional { Mixture::pair(lots[1] * TAU) } else { Mixture::square() };
            x.extend(from.draw(lots[0], [eps[0], eps[1]]).map(|v| v as f32));
            context.extend([x0 as f32, y0 as f32]);
            start.extend([lots[2], lots[3]].map(|u| ((2.0 * u - 1.0) * BOX) as f32));
        }
        let rows = |v: Vec<f32>| Tensor::from_vec(v, (size, 2), &CPU);
        let context = if self.conditional { Some(rows(context)?) } else { None };
        Ok(Batch { x: rows(x)?, context, start: Some(rows(start)?) })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        self.held_out.then(|| self.batch(64, &mut Noise::new(99))).transpose()
    }
}

fn settings(row: &Row, steps: u64) -> TrainConfig {
    TrainConfig {
        steps,
        batch: row.batch,
        optimizer: AdamConfig {
            learning_rate: row.learning_rate,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
            warmup_steps: 50,
            decay: Decay::Cosine,
            clip: Clip::Norm(10.0),
        },
        average_decay: 0.99,
        validate_every: 10,
        log_every: 100,
        checkpoint_every: 10,
    }
}

/// Total variation between a histogram of draws from the learned energy and the exact probabilities of its cells: Metropolis-
/// adjusted Langevin chains from uniform starts, which find modes by themselves. Among 4000 exact draws it is some 0.05.
fn total_variation(learner: &dyn Learner, context: Option<[f64; 2]>, target: &Mixture) -> Result<f64> {
    const CHAINS: usize = 1000;
    const CELLS: usize = 12;
    let context = context.map(|c| rows_of(c, CHAINS)).transpose()?;
    let energy = learner.learned(context.as_ref(), CHAINS)?;
    let mut noise = Noise::new(5);
    let start = noise.uniform((CHAINS, 2), DType::F32, &CPU)?.affine(2.0 * BOX, -BOX)?;
    let mala = Metropolis(Langevin { bounds: Some((-BOX, BOX)), ..Langevin::calibrated(0.2) });
    let mut state = mala.run_from(energy.as_ref(), &start, 300, &mut noise)?.0;
    let width = 2.0 * BOX / CELLS as f64;
    let mut counts = [0.0; CELLS * CELLS];
    for _ in 0..4 {
        state = mala.run(energy.as_ref(), &state, 50, &mut noise)?;
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

/// Root mean square, nats, of `E + ln p` around its mean over a grid's points within 4 nats of the highest density.
fn energy_rms(learner: &dyn Learner, context: Option<[f64; 2]>, target: &Mixture) -> Result<f64> {
    let points: Vec<[f64; 2]> =
        (0..41 * 41).map(|i| [(i / 41) as f64, (i % 41) as f64].map(|v| -2.0 + 0.1 * v)).collect();
    let highest = points.iter().map(|x| target.density(*x)).fold(0.0, f64::max);
    let notable: Vec<[f64; 2]> =
        points.into_iter().filter(|x| target.density(*x) > highest * (-4.0f64).exp()).collect();
    let x = Tensor::from_vec(notable.iter().flatten().map(|v| *v as f32).collect(), (notable.len(), 2), &CPU)?;
    let context = context.map(|c| rows_of(c, notable.len())).transpose()?;
    let energies = learner.learned(context.as_ref(), notable.len())?.energy(&x)?.to_vec1::<f32>()?;
    let off: Vec<f64> = energies.iter().zip(&notable).map(|(e, x)| f64::from(*e) + target.density(*x).ln()).collect();
    let mean = off.iter().sum::<f64>() / off.len() as f64;
    Ok((off.iter().map(|o| (o - mean).powi(2)).sum::<f64>() / off.len() as f64).sqrt())
}

fn rows_of(context: [f64; 2], rows: usize) -> Result<Tensor> {
    Ok(Tensor::new(&[context.map(|v| v as f32)], &CPU)?.repeat((rows, 1))?)
}

/// Total variation and energy RMS, the mean over four directions given a context.
fn judge(learner: &dyn Learner, conditional: bool) -> Result<(f64, f64)> {
    let t = learner.angle();
    if !conditional {
        let target = Mixture::square().blurred(t);
        return Ok((total_variation(learner, None, &target)?, energy_rms(learner, None, &target)?));
    }
    let mut sum = (0.0, 0.0);
    for angle in [0.4, 1.9, 3.5, 5.2f64] {
        let context = Some([angle.cos(), angle.sin()]);
        let target = Mixture::pair(angle).blurred(t);
        sum.0 += total_variation(learner, context, &target)? / 4.0;
        sum.1 += energy_rms(learner, context, &target)? / 4.0;
    }
    Ok(sum)
}

fn learns(name: &str, conditional: bool) -> Result<()> {
    let row = objectives().into_iter().find(|row| row.name == name).unwrap();
    let bounds = if conditional { row.pair } else { row.square };
    let mut learner = (row.make)(&[2], if conditional { 2 } else { 0 }, row.steps)?;
    let before = judge(learner.as_ref(), conditional)?;
    let begun = Instant::now();
    let source = Draws { conditional, held_out: false };
    train(learner.as_mut(), &source, &settings(&row, row.steps), &Noise::new(2), None, &mut Silent)?;
    let seconds = begun.elapsed().as_secs_f64();
    let after = judge(learner.as_ref(), conditional)?;
    let density = if conditional { "pair" } else { "square" };
    println!(
        "\n| {name} | {density} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {seconds:.1} |",
        before.0, after.0, before.1, after.1, row.steps
    );
    assert!(after.0 < bounds.0 && bounds.0 < before.0, "total variation {} after {}", after.0, before.0);
    assert!(after.1 < bounds.1 && bounds.1 < before.1, "the energy is off by {} nats after {}", after.1, before.1);
    Ok(())
}

/// Two tests a row of the table.
macro_rules! contract {
    ($($name:ident)*) => {
        $(mod $name {
            #[test]
            fn learns_the_square() -> super::Result<()> {
                super::learns(stringify!($name), false)
            }

            #[test]
            fn learns_a_pair_given_its_direction() -> super::Result<()> {
                super::learns(stringify!($name), true)
            }
        })*

        #[test]
        fn every_row_is_tested() {
            let names: Vec<&str> = objectives().iter().map(|row| row.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

contract! {
    contrastive improved_contrastive denoising recovery info_nce info_nce_around_start info_nce_refined energy_matching
}

/// Asks to stop at a step, as Ctrl-C does.
struct StopAt(u64, bool);

impl Sink for StopAt {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Step { step, .. } = event {
            self.1 = *step >= self.0;
        }
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        self.1
    }
}

fn weights(learner: &dyn Learner) -> Result<Vec<Vec<f32>>> {
    learner.parameters().iter().map(|(_, v)| Ok(v.flatten_all()?.to_vec1::<f32>()?)).collect()
}

#[test]
fn a_resumed_run_ends_in_the_same_bits() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    for (row, conditional) in objectives().into_iter().flat_map(|row| [(row.clone(), false), (row, true)]) {
        let (source, config, noise) = (Draws { conditional, held_out: true }, settings(&row, 24), Noise::new(3));
        let make = || (row.make)(&[2], if conditional { 2 } else { 0 }, config.steps);
        let mut unbroken = make()?;
        let outcome = train(unbroken.as_mut(), &source, &config, &noise, None, &mut Silent)?;
        assert!(outcome.best_validation.is_some());
        // Once within the warm-up of energy matching, once after it.
        for stop in [3, 17] {
            let path = folder.path().join(format!("{}-{conditional}-{stop}", row.name));
            let plan = |resume| CheckpointPlan { path: path.clone(), resume, identity: serde_json::json!(row.name) };
            let mut sink = StopAt(stop, false);
            let stopped = train(make()?.as_mut(), &source, &config, &noise, Some(&plan(false)), &mut sink);
            assert!(matches!(stopped, Err(Error::Interrupted { step, .. }) if step == stop), "{stopped:?}");
            let mut resumed = make()?;
            let again = train(resumed.as_mut(), &source, &config, &noise, Some(&plan(true)), &mut Silent)?;
            assert_eq!(again, outcome, "{}", row.name);
            assert_eq!(weights(resumed.as_ref())?, weights(unbroken.as_ref())?, "{}", row.name);
        }
    }
    Ok(())
}

/// The same numbers as images of one channel: an objective does not look at the shape.
#[test]
fn images_are_learned_as_rows_are() -> Result<()> {
    struct Images(Draws);
    impl Source for Images {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            let batch = self.0.batch(size, noise)?;
            let image = |t: &Tensor| t.reshape((size, 1, 2, 1));
            let start = batch.start.as_ref().map(image).transpose()?;
            Ok(Batch { x: image(&batch.x)?, context: batch.context, start })
        }
        fn validation(&self) -> Result<Option<Batch>> {
            self.batch(64, &mut Noise::new(99)).map(Some)
        }
    }
    for row in objectives() {
        let config = settings(&row, 12);
        let (mut rows, mut images) = ((row.make)(&[2], 2, 12)?, (row.make)(&[1, 2, 1], 2, 12)?);
        let draws = || Draws { conditional: true, held_out: true };
        let one = train(rows.as_mut(), &draws(), &config, &Noise::new(3), None, &mut Silent)?;
        let two = train(images.as_mut(), &Images(draws()), &config, &Noise::new(3), None, &mut Silent)?;
        assert_eq!(one, two, "{}", row.name);
        assert_eq!(weights(rows.as_ref())?, weights(images.as_ref())?, "{}", row.name);
    }
    Ok(())
}

#[test]
fn settings_that_make_no_sense_are_refused() -> Result<()> {
    type Matching = EnergyMatchingConfig;
    for config in [
        Matching { temperature: 0.0, ..Default::default() },
        Matching { contrast: -1.0, ..Default::default() },
        Matching { onset: 1.0, ..Default::default() },
        Matching { horizon: 0.9, ..Default::default() },
        Matching { steps: 1, ..Default::default() },
        Matching { from_data: 1.1, ..Default::default() },
    ] {
        assert!(EnergyMatching::new(network(0)?, config.clone()).is_err(), "{config:?}");
    }
    // Noise that is paired with examples depends on what those depend on.
    let paired = Matching { coupling: Coupling::Transport, ..Default::default() };
    let mut paired = EnergyMatching::new(network(2)?, paired)?;
    let batch = Draws { conditional: true, held_out: false }.batch(4, &mut Noise::new(1))?;
    assert!(matches!(paired.loss(&batch, &mut Noise::new(1)), Err(Error::Config { .. })));
    for config in [
        RecoveryConfig { levels: 0, ..Default::default() },
        RecoveryConfig { steps: 0, ..Default::default() },
        RecoveryConfig { lowest: 0.0, ..Default::default() },
        RecoveryConfig { highest: 1.57, ..Default::default() },
        RecoveryConfig { step_size: 0.0, ..Default::default() },
    ] {
        assert!(Recovery::new(levels(0)?, config.clone()).is_err(), "{config:?}");
    }
    let improved = ImprovedConfig { contrastive: chains(), energy: 1.0, entropy: -1.0 };
    assert!(ImprovedContrastive::new(network(0)?, improved, &[2], None).is_err());
    assert!(InfoNce::new(network(0)?, InfoNceConfig { negatives: 0, ..Default::default() }).is_err());
    assert!(serde_json::from_str::<RecoveryConfig>(r#"{"levels":6,"level":6}"#).is_err(), "an unknown setting");
    Ok(())
}

#[test]
fn what_is_not_finite_is_an_error_and_changes_no_weight() -> Result<()> {
    struct Poison;
    impl Source for Poison {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            let batch = Draws { conditional: false, held_out: false }.batch(size, noise)?;
            Ok(Batch { x: (batch.x * f64::NAN)?, ..batch })
        }
        fn validation(&self) -> Result<Option<Batch>> {
            Ok(None)
        }
    }
    for row in objectives() {
        let mut learner = (row.make)(&[2], 0, 8)?;
        let before = weights(learner.as_ref())?;
        let result = train(learner.as_mut(), &Poison, &settings(&row, 8), &Noise::new(1), None, &mut Silent);
        assert!(matches!(result, Err(Error::NonFinite { .. })), "{}: {result:?}", row.name);
        assert_eq!(before, weights(learner.as_ref())?, "{}", row.name);
    }
    Ok(())
}
