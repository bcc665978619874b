//! Gaps filled by models beside what one would use instead: lines, cubics, and the exact Gaussian conditional.
//!
//!     cargo bench --bench fill -- LOG MODEL... [--on validation] [--gaps 4,10,25,50] [--joints 0,1,3] [--sampler K=V]
//!
//! MODELs are trainings of one log with several seeds. `--joints 0` hides all channels. Two gaps an episode, each in a
//! third of it. Energy scores are of the hidden cells of each frame, z-scored, divided by the root of their number, in
//! their unbiased form. Intervals: 95 %, of the difference to `fill` on 2,000 resamples of models and episodes.

use candle_core::{Device, Tensor};
use ebmotion::forecast::{Dataset, Forecaster, LevelForecaster, Model};
use ebmotion::noise::Noise;
use ebmotion::settings::Settings;
use ebmotion::{Error, Result};
use std::collections::BTreeMap;

/// Draws of a window.
const SAMPLES: usize = 64;
/// Resamples of models and episodes.
const RESAMPLES: usize = 2000;
/// Frames that are read before a gap, and at least known after it.
const AROUND: usize = 8;
/// The ways to fill, in the order of the tables.
const WAYS: [&str; 4] = ["fill", "smoother", "cubic", "line"];

/// What the command line asks for.
struct Asked {
    log: String,
    models: Vec<String>,
    validation: bool,
    gaps: Vec<usize>,
    joints: Vec<usize>,
    sampler: Vec<(String, String)>,
}

fn asked() -> Result<Asked> {
    let mut asked = Asked {
        log: String::new(),
        models: Vec::new(),
        validation: false,
        gaps: vec![4, 10, 25, 50],
        joints: vec![0, 1, 3],
        sampler: Vec::new(),
    };
    let numbers = |text: &str| text.split(',').map(|n| n.parse().map_err(|_| usage(text))).collect::<Result<_>>();
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| usage(&word));
        match word.as_str() {
            "--on" => asked.validation = value()? == "validation",
            "--gaps" => asked.gaps = numbers(&value()?)?,
            "--joints" => asked.joints = numbers(&value()?)?,
            "--sampler" => {
                let pair = value()?;
                let (key, text) = pair.split_once('=').ok_or_else(|| usage(&pair))?;
                asked.sampler.push((key.into(), text.into()));
            }
            _ if asked.log.is_empty() => asked.log = word,
            _ => asked.models.push(word),
        }
    }
    match asked.models.is_empty() {
        true => Err(usage("no model")),
        false => Ok(asked),
    }
}

fn usage(found: &str) -> Error {
    Error::config("arguments", found, "LOG MODEL... [--on validation] [--gaps N,...] [--joints N,...] [--sampler K=V]")
}

fn main() -> Result<()> {
    let asked = asked()?;
    for joints in &asked.joints {
        let of = if *joints == 0 { "all channels".into() } else { format!("channels hidden: {joints}") };
        println!("\n{of}\n\n{}\n|---|---|---|---|---|---|---|---|", header());
        for gap in &asked.gaps {
            let mut rows = Vec::new();
            for (number, path) in asked.models.iter().enumerate() {
                rows.extend(of_model(&asked, (number, path), *gap, *joints)?);
            }
            println!("{}", line(*gap, &rows));
        }
    }
    Ok(())
}

/// What one window gives.
struct Row {
    model: usize,
    episode: String,
    /// By way: energy score, mean squared error of the mean.
    score: [f64; 4],
    square: [f64; 4],
    /// Mean squared error of the smoother's exact mean.
    exact: f64,
    /// Share of the steps into and out of the gap that are longer than 999 of 1000 real ones, and the same of the true
    /// motion there.
    steps: [f64; 2],
    seconds: f64,
}

fn of_model(asked: &Asked, (number, path): (usize, &str), gap: usize, joints: usize) -> Result<Vec<Row>> {
    let mut model = Model::load(path.as_ref())?;
    let level = |model: &Model| model.level().cloned().ok_or_else(|| usage("a model without noise levels"));
    let mut sampler = level(&model)?.sampler();
    for (key, value) in &asked.sampler {
        sampler = sampler.with_one(key, value)?;
    }
    model = model.with_sampler(sampler)?;
    let info = model.info();
    let dataset = Dataset::new(model.frames(&[&asked.log], &info.config.data)?, &info.config)?;
    let episodes = if asked.validation { &dataset.split.validation } else { &dataset.split.test };
    let limits = long_steps(&dataset, info.channels.len())?;
    // Windows with the same cells hidden are filled together: what depends on these alone is done once.
    let mut alike: BTreeMap<(usize, Vec<usize>), Vec<Named>> = BTreeMap::new();
    for episode in episodes {
        let recorded = &dataset.frames.episodes[*episode];
        let mut z = vec![0f32; recorded.values.len()];
        info.normaliser.to_z(&recorded.values, &mut z)?;
        let frames = recorded.time_secs.len();
        for place in (0..2).filter(|_| frames >= 2 * AROUND + gap) {
            let at = AROUND + (frames - 2 * AROUND - gap) * (2 * place + 1) / 4;
            let window = Hidden::new(&z, info.channels.len(), (at, place), (gap, joints), info.config.model.frames().1);
            let key = (window.truth.len(), window.channels.clone());
            alike.entry(key).or_default().push((recorded.id.clone(), window));
        }
    }
    let (model, mut rows) = (level(&model)?, Vec::new());
    for (group, windows) in alike.values().enumerate() {
        rows.extend(judged(windows, &model, &limits, (number, (100 * number + group) as u64))?);
    }
    Ok(rows)
}

/// A window and its episode.
type Named = (String, Hidden);

/// Fills windows with the same cells hidden and scores them.
fn judged(windows: &[Named], level: &LevelForecaster, limits: &[f32], (model, seed): (usize, u64)) -> Result<Vec<Row>> {
    let [(_, first), ..] = windows else { return Ok(Vec::new()) };
    let width = first.truth.len();
    let mut hidden: Vec<f32> = windows.iter().flat_map(|(_, window)| &window.truth).copied().collect();
    hidden.chunks_exact_mut(width).for_each(|row| first.cells().for_each(|cell| row[cell] = f32::NAN));
    let hidden = Tensor::from_vec(hidden, (windows.len(), width / first.d, first.d), &Device::Cpu)?;
    let begun = std::time::Instant::now();
    let filled = level.fill(&hidden, SAMPLES, &mut Noise::new(seed))?.flatten_all()?.to_vec1::<f32>()?;
    let seconds = begun.elapsed().as_secs_f64() / windows.len() as f64;
    let [mean, smoothed] = level.smooth(&hidden, &vec![0.0; first.d], SAMPLES, &mut Noise::new(seed))?;
    let [mean, smoothed] = [mean.flatten_all()?.to_vec1::<f32>()?, smoothed.flatten_all()?.to_vec1::<f32>()?];
    let row = |(i, (episode, window)): (usize, &Named)| {
        let of = |all: &[f32], count: usize| all[i * count * width..(i + 1) * count * width].to_vec();
        let (filled, smoothed) = (of(&filled, SAMPLES), of(&smoothed, SAMPLES));
        let ways = [filled, smoothed, window.between(cubic), window.between(straight)];
        let long: f64 = ways[0].chunks_exact(width).map(|sample| window.long(sample, limits)).sum();
        Row {
            model,
            episode: episode.clone(),
            score: [0, 1, 2, 3].map(|way| window.energy_score(&ways[way])),
            square: [0, 1, 2, 3].map(|way| window.square(&ways[way])),
            exact: window.square(&of(&mean, 1)),
            steps: [long / SAMPLES as f64, window.long(&window.truth, limits)],
            seconds,
        }
    };
    Ok(windows.iter().enumerate().map(row).collect())
}

/// By channel, the step that 999 of 1000 steps of the training episodes do not exceed.
fn long_steps(dataset: &Dataset, d: usize) -> Result<Vec<f32>> {
    let mut steps = vec![Vec::new(); d];
    for episode in &dataset.split.train {
        let values = &dataset.frames.episodes[*episode].values;
        let mut z = vec![0f32; values.len()];
        dataset.normaliser.to_z(values, &mut z)?;
        z.windows(d + 1).enumerate().for_each(|(i, w)| steps[i % d].push((w[d] - w[0]).abs()));
    }
    let quantile = |all: &mut Vec<f32>| {
        all.sort_by(f32::total_cmp);
        all[(all.len() - 1) * 999 / 1000]
    };
    Ok(steps.iter_mut().map(quantile).collect())
}

/// A window of true motion in which some cells are hidden.
struct Hidden {
    truth: Vec<f32>,
    d: usize,
    /// Frames of the gap within the window.
    from: usize,
    to: usize,
    channels: Vec<usize>,
}

impl Hidden {
    /// Of an episode `z` with a gap of `gap` frames from `at` on: as much of it as tells of the gap.
    fn new(z: &[f32], d: usize, (at, place): (usize, usize), (gap, joints): (usize, usize), chunk: usize) -> Self {
        let begin = at - AROUND;
        let end = (at + (gap + AROUND).div_ceil(chunk) * chunk).min(z.len() / d);
        // Spread over all channels, others in an episode's other gap.
        let channels = match joints {
            0 => (0..d).collect(),
            n => (0..n).map(|j| (5 * place + j * d.div_ceil(n)) % d).collect(),
        };
        Self { truth: z[begin * d..end * d].to_vec(), d, from: AROUND, to: AROUND + gap, channels }
    }

    /// The hidden cells.
    fn cells(&self) -> impl Iterator<Item = usize> + '_ {
        (self.from..self.to).flat_map(move |frame| self.channels.iter().map(move |c| frame * self.d + c))
    }

    /// The window with each hidden channel as `curve` has it between its neighbours: values two before, one before, one
    /// after and two after the gap, and the share of the way.
    fn between(&self, curve: impl Fn([f32; 4], f32, f32) -> f32) -> Vec<f32> {
        let mut filled = self.truth.clone();
        let last = self.truth.len() / self.d - 1;
        for cell in self.cells() {
            let (frame, c) = (cell / self.d, cell % self.d);
            let known = |at: usize| self.truth[at.min(last) * self.d + c];
            let around = [known(self.from - 2), known(self.from - 1), known(self.to), known(self.to + 1)];
            let span = (self.to - self.from + 1) as f32;
            filled[cell] = curve(around, (frame + 1 - self.from) as f32 / span, span);
        }
        filled
    }

    /// Mean over the frames of the energy score of the hidden cells.
    fn energy_score(&self, samples: &[f32]) -> f64 {
        let width = self.truth.len();
        let s = samples.len() / width;
        let root = (self.channels.len() as f64).sqrt();
        let distance = |a: &[f32], b: &[f32], frame: usize| {
            let square = |c: &usize| f64::from(a[frame * self.d + c] - b[frame * self.d + c]).powi(2);
            self.channels.iter().map(square).sum::<f64>().sqrt() / root
        };
        let sample = |i: usize| &samples[i * width..(i + 1) * width];
        let of_frame = |frame: usize| {
            let misses = (0..s).map(|i| distance(sample(i), &self.truth, frame)).sum::<f64>() / s as f64;
            let pairs = (1..s).flat_map(|i| (0..i).map(move |j| (i, j)));
            let spread = pairs.map(|(i, j)| distance(sample(i), sample(j), frame)).sum::<f64>();
            misses - spread / (s * (s - 1)).max(1) as f64
        };
        (self.from..self.to).map(of_frame).sum::<f64>() / (self.to - self.from) as f64
    }

    /// Mean squared error of the samples' mean.
    fn square(&self, samples: &[f32]) -> f64 {
        let width = self.truth.len();
        let s = (samples.len() / width) as f64;
        let mean = |cell: usize| samples.iter().skip(cell).step_by(width).map(|v| f64::from(*v)).sum::<f64>() / s;
        let count = self.cells().count() as f64;
        self.cells().map(|cell| (mean(cell) - f64::from(self.truth[cell])).powi(2)).sum::<f64>() / count
    }

    /// Share of the steps into and out of the gap that are longer than `limits`.
    fn long(&self, window: &[f32], limits: &[f32]) -> f64 {
        let step = |frame: usize, c: usize| (window[frame * self.d + c] - window[(frame - 1) * self.d + c]).abs();
        let steps = [self.from, self.to].into_iter().flat_map(|frame| self.channels.iter().map(move |c| (frame, *c)));
        let long = steps.filter(|(frame, c)| step(*frame, *c) > limits[*c]).count();
        long as f64 / (2 * self.channels.len()) as f64
    }
}

fn straight([_, a, b, _]: [f32; 4], share: f32, _: f32) -> f32 {
    a + share * (b - a)
}

/// The cubic that leaves and arrives with the speeds of the frames around (Hermite's).
fn cubic([before, a, b, after]: [f32; 4], t: f32, span: f32) -> f32 {
    let (leave, arrive) = ((a - before) * span, (after - b) * span);
    let (t2, t3) = (t * t, t * t * t);
    (2.0 * t3 - 3.0 * t2 + 1.0) * a + (t3 - 2.0 * t2 + t) * leave + (3.0 * t2 - 2.0 * t3) * b + (t3 - t2) * arrive
}

fn header() -> String {
    let ways = WAYS.map(|way| format!(" {way} |")).concat();
    format!("| frames |{ways} RMSE: {} (smoother's exact mean) | long steps (real) | s |", WAYS.join(", "))
}

/// The figures of one length of gap.
fn line(gap: usize, rows: &[Row]) -> String {
    let mean = |of: &dyn Fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / rows.len().max(1) as f64;
    let scores = (0..4).map(|way| {
        let score = mean(&|row| row.score[way]);
        match way {
            0 => format!(" {score:.4} |"),
            _ => {
                let [low, high] = interval(rows, way).map(|v| 100.0 * v / score);
                let gain = 100.0 * (1.0 - mean(&|row| row.score[0]) / score);
                format!(" {score:.4}: {gain:.1} % [{low:.1}, {high:.1}] |")
            }
        }
    });
    let rmse: Vec<String> = (0..4).map(|way| format!("{:.4}", mean(&|row| row.square[way]).sqrt())).collect();
    let exact = mean(&|row| row.exact).sqrt();
    let [long, real] = [0, 1].map(|i| 100.0 * mean(&|row| row.steps[i]));
    let seconds = mean(&|row| row.seconds);
    let scores: String = scores.collect();
    format!("| {gap} |{scores} {} ({exact:.4}) | {long:.2} % ({real:.2} %) | {seconds:.2} |", rmse.join(", "))
}

/// 95 % interval of the mean difference of another way's score and `fill`'s over resamples of models and episodes.
fn interval(rows: &[Row], way: usize) -> [f64; 2] {
    let mut by: BTreeMap<(usize, &str), (f64, f64)> = BTreeMap::new();
    for row in rows {
        let (sum, count) = by.entry((row.model, &row.episode)).or_default();
        (*sum, *count) = (*sum + row.score[way] - row.score[0], *count + 1.0);
    }
    let mut models: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    by.iter().for_each(|((model, _), sums)| models.entry(*model).or_default().push(*sums));
    let models: Vec<Vec<(f64, f64)>> = models.into_values().collect();
    let mut noise = Noise::new(1);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (mut sum, mut count) = (0.0, 0.0);
            for model in noise.indices(models.len(), models.len()) {
                let episodes = &models[model];
                for episode in noise.indices(episodes.len(), episodes.len()) {
                    (sum, count) = (sum + episodes[episode].0, count + episodes[episode].1);
                }
            }
            sum / count
        })
        .collect();
    means.sort_by(f64::total_cmp);
    [RESAMPLES / 40, RESAMPLES - 1 - RESAMPLES / 40].map(|i| means[i])
}
