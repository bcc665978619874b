//! Noisy logs cleaned by models beside what one would use instead: the exact Gaussian conditional (a Kalman
//! smoother's), Savitzky and Golay's filter, a moving median.
//!
//!     cargo bench --bench clean -- LOG MODEL... [--on validation] [--noise 0.02,0.05,0.1,0.2] [--steps 0.2]
//!         [--samples 8] [--sampler K=V]
//!
//! MODELs are trainings of one log with several seeds. Noise is normal, in standard deviations of each channel; with
//! `--steps` values are rounded to whole multiples. The filter and the median take, for each channel, the window and
//! degree that are best on validation episodes with the same noise. The first 20 test episodes of each model are
//! cleaned. Intervals: 95 %, of the difference to `clean` on 2,000 resamples of models and episodes.

use ebmotion::eval::metric::frechet_distance;
use ebmotion::event::Silent;
use ebmotion::forecast::{Dataset, Model};
use ebmotion::noise::Noise;
use ebmotion::settings::Settings;
use ebmotion::trajectory::Frames;
use ebmotion::{Error, Result};
use nalgebra::{DMatrix, DVector};
use std::collections::BTreeMap;

/// Resamples of models and episodes.
const RESAMPLES: usize = 2000;
/// The ways to clean, in the order of the tables.
const WAYS: [&str; 5] = ["clean", "smoother", "Savitzky-Golay", "median", "as it is"];
/// Validation episodes by which windows are chosen, and episodes that are cleaned, at most.
const CHOSEN_ON: usize = 12;
const CLEANED: usize = 20;
/// Half windows of the filter and the median, and degrees of the filter's polynomial.
const HALVES: [usize; 10] = [1, 2, 3, 4, 5, 6, 8, 10, 13, 17];
const DEGREES: [usize; 3] = [1, 3, 5];

struct Asked {
    log: String,
    models: Vec<String>,
    validation: bool,
    noises: Vec<f64>,
    steps: Vec<f64>,
    samples: usize,
    sampler: Vec<(String, String)>,
}

fn usage(found: &str) -> Error {
    let expected = "LOG MODEL... [--on validation] [--noise STD,...] [--steps STEP,...] [--samples N] [--sampler K=V]";
    Error::config("arguments", found, expected)
}

fn asked() -> Result<Asked> {
    let mut asked = Asked {
        log: String::new(),
        models: Vec::new(),
        validation: false,
        noises: vec![0.02, 0.05, 0.1, 0.2],
        steps: vec![0.2],
        samples: 8,
        sampler: Vec::new(),
    };
    let numbers = |text: &str| -> Result<Vec<f64>> {
        text.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().map_err(|_| usage(text))).collect()
    };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| usage(&word));
        match word.as_str() {
            "--on" => asked.validation = value()? == "validation",
            "--noise" => asked.noises = numbers(&value()?)?,
            "--steps" => asked.steps = numbers(&value()?)?,
            "--samples" => asked.samples = value()?.parse().map_err(|_| usage("samples"))?,
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

/// What is done to a log.
#[derive(Clone, Copy)]
enum Spoiled {
    Noise(f64),
    Steps(f64),
}

impl Spoiled {
    /// The noise's standard deviation, in those of the channels.
    fn std(self) -> f64 {
        match self {
            Self::Noise(std) => std,
            Self::Steps(step) => step / 12f64.sqrt(),
        }
    }

    fn of(self, frames: &Frames, scale: &[f64], noise: &mut Noise) -> Result<Frames> {
        let mut spoiled = frames.clone();
        for episode in &mut spoiled.episodes {
            let (shape, cpu) = (episode.values.len(), candle_core::Device::Cpu);
            let drawn = noise.normal(shape, candle_core::DType::F64, &cpu)?.to_vec1::<f64>()?;
            for (i, (value, drawn)) in episode.values.iter_mut().zip(drawn).enumerate() {
                let scale = scale[i % scale.len()];
                match self {
                    Self::Noise(std) => *value += std * scale * drawn,
                    Self::Steps(step) => *value = (*value / (step * scale)).round() * step * scale,
                }
            }
        }
        Ok(spoiled)
    }
}

fn main() -> Result<()> {
    let asked = asked()?;
    println!("| noise | estimated |{} velocity Fréchet: {} (floor) | s |", columns(), WAYS.join(", "));
    println!("|---|---|{}---|---|", "---|".repeat(WAYS.len()));
    let noises = asked.noises.iter().map(|std| Spoiled::Noise(*std));
    for spoiled in noises.chain(asked.steps.iter().map(|step| Spoiled::Steps(*step))) {
        let mut rows = Vec::new();
        let mut of_models = Vec::new();
        for (number, path) in asked.models.iter().enumerate() {
            of_models.push(of_model(&asked, (number, path), spoiled, &mut rows)?);
        }
        println!("{}", line(spoiled, &rows, &of_models));
    }
    Ok(())
}

fn columns() -> String {
    WAYS.map(|way| format!(" {way} |")).concat()
}

/// An episode's mean squared errors by way, z-scored.
struct Row {
    model: usize,
    squares: [f64; 5],
}

/// What one model gives besides.
struct OfModel {
    estimated: f64,
    frechet: [f64; 5],
    floor: f64,
    seconds: f64,
}

fn of_model(asked: &Asked, (number, path): (usize, &str), spoiled: Spoiled, rows: &mut Vec<Row>) -> Result<OfModel> {
    let mut model = Model::load(path.as_ref())?;
    let mut sampler = model.level().ok_or_else(|| usage("a model without noise levels"))?.sampler();
    for (key, value) in &asked.sampler {
        sampler = sampler.with_one(key, value)?;
    }
    model = model.with_sampler(sampler)?;
    let scale = model.info().normaliser.std.clone();
    let dataset = Dataset::new(model.frames(&[&asked.log], &model.info().config.data)?, &model.info().config)?;
    let of = |episodes: &[usize]| Frames {
        episodes: episodes.iter().map(|e| dataset.frames.episodes[*e].clone()).collect(),
        ..dataset.frames.clone()
    };
    let validation = of(&dataset.split.validation[..dataset.split.validation.len().min(CHOSEN_ON)]);
    let episodes = if asked.validation { &dataset.split.validation } else { &dataset.split.test };
    let truth = of(&episodes[..episodes.len().min(CLEANED)]);
    let noisy = spoiled.of(&truth, &scale, &mut Noise::new(10 + number as u64))?;
    let known: Vec<f64> = scale.iter().map(|scale| spoiled.std() * scale).collect();
    let estimate = model.noise_of(&noisy)?;
    let begun = std::time::Instant::now();
    let [cleaned, _] = model.clean(&noisy, &known, asked.samples, number as u64, &mut Silent)?;
    let seconds = begun.elapsed().as_secs_f64();
    let [smoothed, _] = model.smooth(&noisy, &known, 2, 0, &mut Silent)?;
    let spoiled_validation = spoiled.of(&validation, &scale, &mut Noise::new(90 + number as u64))?;
    let filters = Filters::chosen(&validation, &spoiled_validation, &scale);
    let [savgol, median] = filters.run(&noisy);
    let ways = [cleaned, smoothed, savgol, median, noisy];
    for (e, episode) in truth.episodes.iter().enumerate() {
        let square = |way: &Frames| square(&episode.values, &way.episodes[e].values, &scale, None);
        rows.push(Row { model: number, squares: ways.each_ref().map(square) });
    }
    let real = velocities(&truth);
    let mut frechet = [0.0; 5];
    for (to, way) in frechet.iter_mut().zip(&ways) {
        *to = distance(&real, &velocities(way), &scale)?;
    }
    let other = of(&dataset.split.train);
    let floor = distance(&real, &velocities(&other), &scale)?;
    let estimated = estimate.iter().zip(&scale).map(|(noise, scale)| noise / scale).sum::<f64>() / scale.len() as f64;
    Ok(OfModel { estimated, frechet, floor, seconds })
}

/// Mean squared difference in z-scores, of all channels or one.
fn square(truth: &[f64], found: &[f64], scale: &[f64], channel: Option<usize>) -> f64 {
    let d = scale.len();
    let cells = (0..truth.len()).filter(|i| channel.is_none_or(|c| i % d == c));
    let (mut sum, mut count) = (0.0, 0.0);
    cells.for_each(|i| (sum, count) = (sum + ((truth[i] - found[i]) / scale[i % d]).powi(2), count + 1.0));
    sum / count
}

/// Differences of neighbouring frames, `(N, D)`.
fn velocities(frames: &Frames) -> Vec<f64> {
    let d = frames.channels.len();
    let of = |values: &[f64]| values.windows(d + 1).map(|w| w[d] - w[0]).collect::<Vec<_>>();
    frames.episodes.iter().flat_map(|episode| of(&episode.values)).collect()
}

/// Squared Fréchet distance of velocities in standard deviations of the true ones.
fn distance(real: &[f64], other: &[f64], scale: &[f64]) -> Result<f64> {
    let d = scale.len();
    let rms = |c: usize| {
        let (sum, count) = real.iter().skip(c).step_by(d).fold((0.0, 0.0), |(s, n), v| (s + v * v, n + 1.0));
        (sum / count).sqrt().max(f64::MIN_POSITIVE)
    };
    let units: Vec<f64> = (0..d).map(rms).collect();
    let moments = |values: &[f64]| {
        let rows = values.len() / d;
        let scaled = DMatrix::from_fn(rows, d, |i, c| values[i * d + c] / units[c]);
        let mean = scaled.row_mean();
        let centred = DMatrix::from_fn(rows, d, |i, c| scaled[(i, c)] - mean[c]);
        let covariance = centred.transpose() * &centred / (rows - 1) as f64;
        (mean.iter().copied().collect::<Vec<_>>(), covariance.as_slice().to_vec())
    };
    let (one, two) = (moments(real), moments(other));
    frechet_distance(&one.0, &one.1, &two.0, &two.1)
}

/// A filter of each channel.
struct Filters {
    savgol: Vec<DMatrix<f64>>,
    half: Vec<usize>,
}

impl Filters {
    /// Those that are best on `noisy` of which the `truth` is known.
    fn chosen(truth: &Frames, noisy: &Frames, scale: &[f64]) -> Self {
        let d = scale.len();
        let error = |c: usize, run: &dyn Fn(&[f64]) -> Vec<f64>| {
            let of = |(true_one, seen): (&ebmotion::trajectory::Episode, &ebmotion::trajectory::Episode)| {
                let column = |values: &[f64]| values.iter().skip(c).step_by(d).copied().collect::<Vec<_>>();
                let (real, found) = (column(&true_one.values), run(&column(&seen.values)));
                real.iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
            };
            truth.episodes.iter().zip(&noisy.episodes).map(of).sum::<f64>()
        };
        let filters: Vec<DMatrix<f64>> = HALVES
            .iter()
            .flat_map(|half| DEGREES.iter().filter(move |degree| **degree < 2 * half + 1).map(move |k| fit(*half, *k)))
            .collect();
        let best_filter = |c: usize| {
            let by = |filter: &DMatrix<f64>| error(c, &|x| filtered(filter, x));
            filters.iter().min_by(|a, b| by(a).total_cmp(&by(b))).cloned().unwrap_or_else(|| fit(1, 1))
        };
        let best_half = |c: usize| {
            let by = |half: &usize| error(c, &|x| median(*half, x));
            HALVES.into_iter().min_by(|a, b| by(a).total_cmp(&by(b))).unwrap_or(1)
        };
        Self { savgol: (0..d).map(best_filter).collect(), half: (0..d).map(best_half).collect() }
    }

    fn run(&self, noisy: &Frames) -> [Frames; 2] {
        let d = self.half.len();
        let by = |run: &dyn Fn(usize, &[f64]) -> Vec<f64>| {
            let mut frames = noisy.clone();
            for episode in &mut frames.episodes {
                for c in 0..d {
                    let column: Vec<f64> = episode.values.iter().skip(c).step_by(d).copied().collect();
                    let cleaned = run(c, &column);
                    episode.values.iter_mut().skip(c).step_by(d).zip(cleaned).for_each(|(to, v)| *to = v);
                }
            }
            frames
        };
        [by(&|c, x| filtered(&self.savgol[c], x)), by(&|c, x| median(self.half[c], x))]
    }
}

/// What a polynomial fitted to a window makes of it, `(2 h + 1, 2 h + 1)` (Savitzky and Golay 1964, "Smoothing and
/// differentiation of data by simplified least squares procedures").
fn fit(half: usize, degree: usize) -> DMatrix<f64> {
    let frames = 2 * half + 1;
    let powers = DMatrix::from_fn(frames, degree + 1, |i, k| ((i as f64 - half as f64) / half as f64).powi(k as i32));
    let pseudo = powers.clone().pseudo_inverse(1e-12).unwrap_or_else(|_| powers.transpose());
    powers * pseudo
}

/// A column filtered; its ends by the polynomial of the first and last window.
fn filtered(filter: &DMatrix<f64>, x: &[f64]) -> Vec<f64> {
    let frames = filter.nrows();
    if x.len() < frames {
        return x.to_vec();
    }
    let half = frames / 2;
    let at = |i: usize| {
        let first = i.saturating_sub(half).min(x.len() - frames);
        let window = DVector::from_column_slice(&x[first..first + frames]);
        (filter.row(i - first) * window)[0]
    };
    (0..x.len()).map(at).collect()
}

/// A column's moving median; windows are shorter at the ends.
fn median(half: usize, x: &[f64]) -> Vec<f64> {
    let at = |i: usize| {
        let half = half.min(i).min(x.len() - 1 - i);
        let mut window = x[i - half..=i + half].to_vec();
        window.sort_by(f64::total_cmp);
        window[half]
    };
    (0..x.len()).map(at).collect()
}

/// The figures of one noise.
fn line(spoiled: Spoiled, rows: &[Row], models: &[OfModel]) -> String {
    let rmse = |way: usize| (rows.iter().map(|row| row.squares[way]).sum::<f64>() / rows.len() as f64).sqrt();
    let cells: String = (0..WAYS.len())
        .map(|way| match way {
            0 => format!(" {:.4} |", rmse(0)),
            _ => {
                let [low, high] = interval(rows, way);
                format!(" {:.4}: {:.1} % [{low:.1}, {high:.1}] |", rmse(way), 100.0 * (1.0 - rmse(0) / rmse(way)))
            }
        })
        .collect();
    let mean = |of: &dyn Fn(&OfModel) -> f64| models.iter().map(of).sum::<f64>() / models.len() as f64;
    let frechet: Vec<String> = (0..WAYS.len()).map(|way| format!("{:.3}", mean(&|m| m.frechet[way]))).collect();
    let name = match spoiled {
        Spoiled::Noise(std) => format!("{std}"),
        Spoiled::Steps(step) => format!("steps of {step} ({:.3})", spoiled.std()),
    };
    let (estimated, floor, seconds) = (mean(&|m| m.estimated), mean(&|m| m.floor), mean(&|m| m.seconds));
    format!("| {name} | {estimated:.4} |{cells} {} ({floor:.3}) | {seconds:.1} |", frechet.join(", "))
}

/// 95 % interval of by how many percent `clean`'s error is smaller, over resamples of models and episodes.
fn interval(rows: &[Row], way: usize) -> [f64; 2] {
    let mut models: BTreeMap<usize, Vec<[f64; 2]>> = BTreeMap::new();
    rows.iter().for_each(|row| models.entry(row.model).or_default().push([row.squares[0], row.squares[way]]));
    let models: Vec<Vec<[f64; 2]>> = models.into_values().collect();
    let mut noise = Noise::new(1);
    let mut gains: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut sums = [0.0; 2];
            for model in noise.indices(models.len(), models.len()) {
                let episodes = &models[model];
                for episode in noise.indices(episodes.len(), episodes.len()) {
                    sums.iter_mut().zip(episodes[episode]).for_each(|(sum, square)| *sum += square);
                }
            }
            100.0 * (1.0 - (sums[0] / sums[1]).sqrt())
        })
        .collect();
    gains.sort_by(f64::total_cmp);
    [RESAMPLES / 40, RESAMPLES - 1 - RESAMPLES / 40].map(|i| gains[i])
}
