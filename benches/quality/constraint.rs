//! Forecasts under constraints beside what one would do instead: clipped or bent free samples, the best of many.
//!
//!     cargo bench --bench constraint -- LOG MODEL... [--on validation] [--horizon 48] [--samples 16] [--windows 2]
//!         [--cases limits,own,...] [--share 0.995] [--soften X] [--steps N] [--best 1000]
//!
//! MODELs are trainings of one log with several seeds. `benches/quality/constraint.md` says what the cases and the
//! columns are. Intervals: 95 %, on 1,000 resamples of models and of their episodes.

#[path = "segments.rs"]
mod segments;

use ebmotion::forecast::{Dataset, Forecast, Model, Request};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use segments::{Distances, Segments};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Resamples of models and episodes.
const RESAMPLES: usize = 1000;
/// Frames of a segment of velocity.
const SEGMENT: usize = 8;
/// Of a channel's speeds and accelerations in training, the share that its limit lets pass.
const SHARE: f64 = 0.995;
/// Reached is what misses no joint by more, in the channels' unit.
const WITHIN: f64 = 0.02;
const CASES: [&str; 6] = ["limits", "own", "other", "finger", "way", "both"];
const WAYS: [&str; 5] = ["free", "constraint", "clipped", "bent", "best"];

/// What the command line asks for.
struct Asked {
    log: String,
    models: Vec<String>,
    validation: bool,
    horizon: usize,
    samples: usize,
    windows: usize,
    cases: Vec<String>,
    steps: Option<u64>,
    soften: Option<f64>,
    share: f64,
    best: usize,
}

fn usage(found: &str) -> Error {
    Error::config("arguments", found, "LOG MODEL... [--on validation] [--horizon N] [--cases NAME,...] and so on")
}

fn asked() -> Result<Asked> {
    let mut asked = Asked {
        log: String::new(),
        models: Vec::new(),
        validation: false,
        horizon: 48,
        samples: 16,
        windows: 2,
        cases: CASES.map(str::to_string).to_vec(),
        steps: None,
        soften: None,
        share: SHARE,
        best: 1000,
    };
    let number = |text: String| text.parse().map_err(|_| usage(&text));
    let part = |text: String| text.parse::<f64>().map_err(|_| usage(&text));
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| usage(&word));
        match word.as_str() {
            "--on" => asked.validation = value()? == "validation",
            "--horizon" => asked.horizon = number(value()?)?,
            "--samples" => asked.samples = number(value()?)?,
            "--windows" => asked.windows = number(value()?)?,
            "--best" => asked.best = number(value()?)?,
            "--steps" => asked.steps = Some(number(value()?)? as u64),
            "--soften" => asked.soften = Some(part(value()?)?),
            "--share" => asked.share = part(value()?)?,
            "--cases" => asked.cases = value()?.split(',').map(str::to_string).collect(),
            _ if asked.log.is_empty() => asked.log = word,
            _ => asked.models.push(word),
        }
    }
    if asked.models.is_empty() || asked.cases.iter().any(|case| !CASES.contains(&case.as_str())) {
        return Err(usage("no model, or an unknown case"));
    }
    Ok(asked)
}

fn main() -> Result<()> {
    let asked = asked()?;
    println!("| case | way | limits violated | reached | distance, times free | energy score | s | skipped |");
    println!("|---|---|---|---|---|---|---|---|");
    for case in &asked.cases {
        let mut rows = Vec::new();
        for (number, path) in asked.models.iter().enumerate() {
            rows.push(of_model(&asked, case, (number, path))?);
        }
        tell(case, &rows);
    }
    Ok(())
}

/// What one model gives in one case.
#[derive(Default)]
struct OfModel {
    /// By way.
    ways: [Way; 5],
    real: Segments,
    skipped: usize,
    windows: usize,
}

#[derive(Default)]
struct Way {
    segments: Segments,
    /// Of all samples: those that violate a limit, and those that reach the goal.
    violated: usize,
    reached: usize,
    samples: usize,
    score: f64,
    seconds: f64,
}

/// Limits of channels, a frame, and scales of their speeds.
struct Scales {
    bounds: [Vec<[f64; 2]>; 3],
    speed: Vec<f64>,
    std: Vec<f64>,
}

fn of_model(asked: &Asked, case: &str, (number, path): (usize, &str)) -> Result<OfModel> {
    let model = Model::load(path.as_ref())?;
    let info = model.info();
    let dataset = Dataset::new(model.frames(&[&asked.log], &info.config.data)?, &info.config)?;
    let scales = scales(&dataset, asked.share);
    let d = info.channels.len();
    let episodes = if asked.validation { &dataset.split.validation } else { &dataset.split.test };
    let mut found = OfModel::default();
    let k = model.forecaster().context_frames();
    for (unit, episode) in episodes.iter().enumerate() {
        let values = &dataset.frames.episodes[*episode].values;
        let other = &dataset.frames.episodes[episodes[(unit + 1) % episodes.len()]].values;
        let frames = values.len() / d;
        for place in (0..asked.windows).filter(|_| frames >= k + asked.horizon) {
            let at = k + (frames - k - asked.horizon) * (2 * place + 1) / (2 * asked.windows);
            let window = Window {
                history: &values[(at - k) * d..at * d],
                truth: &values[at * d..(at + asked.horizon) * d],
                other: &other[(other.len() / d / 2) * d..][..d],
                scales: &scales,
                d,
            };
            let seed = (1000 * number + 10 * unit + place) as u64;
            found.windows += 1;
            window.compare((asked, case), &model, (unit, seed), &mut found)?;
        }
    }
    Ok(found)
}

/// By channel: the range of training, the speeds and accelerations that few steps exceed, and what speeds are.
fn scales(dataset: &Dataset, share: f64) -> Scales {
    let d = dataset.frames.channels.len();
    let mut all: [Vec<Vec<f64>>; 3] = std::array::from_fn(|_| vec![Vec::new(); d]);
    for episode in &dataset.split.train {
        let values = &dataset.frames.episodes[*episode].values;
        let at = |t: usize, c: usize| values[t * d + c];
        for (t, c) in (2..values.len() / d).flat_map(|t| (0..d).map(move |c| (t, c))) {
            all[0][c].push(at(t, c));
            all[1][c].push((at(t, c) - at(t - 1, c)).abs());
            all[2][c].push((at(t, c) - 2.0 * at(t - 1, c) + at(t - 2, c)).abs());
        }
    }
    let speed = all[1].iter().map(|v| (v.iter().map(|v| v * v).sum::<f64>() / v.len() as f64).sqrt()).collect();
    all.iter_mut().flatten().for_each(|v| v.sort_by(f64::total_cmp));
    let range = all[0].iter().map(|v| [v[0], v[v.len() - 1]]).collect();
    let most = |of: &[Vec<f64>]| -> Vec<[f64; 2]> {
        let limit = |v: &Vec<f64>| v[((v.len() - 1) as f64 * share) as usize].max(1e-6);
        of.iter().map(|v| [-limit(v), limit(v)]).collect()
    };
    let std = dataset.normaliser.std.clone();
    Scales { bounds: [range, most(&all[1]), most(&all[2])], speed, std }
}

/// A window of true motion, in the channels' units.
struct Window<'a> {
    history: &'a [f64],
    truth: &'a [f64],
    /// A pose of another episode.
    other: &'a [f64],
    scales: &'a Scales,
    d: usize,
}

impl Window<'_> {
    /// Goals of a case: frame, channel and value.
    fn goals(&self, case: &str) -> Vec<(usize, usize, f64)> {
        let last = self.truth.len() / self.d - 1;
        let all = |frame: usize, pose: &[f64]| (0..self.d).map(|c| (frame, c, pose[c])).collect::<Vec<_>>();
        let own = |frame: usize| all(frame, &self.truth[frame * self.d..][..self.d]);
        match case {
            "own" | "both" => own(last),
            "other" => all(last, self.other),
            "finger" => all(last, self.other).into_iter().skip(2).take(3).collect(),
            "way" => [own(last / 2), own(last)].concat(),
            _ => Vec::new(),
        }
    }

    fn settings(&self, case: &str, model: &Model, asked: &Asked) -> Value {
        let channels = &model.info().channels;
        let rate = model.info().rate_hz;
        let unit = channels[0].unit.clone().unwrap_or("none".into());
        let mut file = json!({});
        if let Some(steps) = asked.steps {
            file["steps"] = json!(steps);
        }
        if ["limits", "both"].contains(&case) {
            let by = |order: usize| -> BTreeMap<&str, f64> {
                let scale = rate.powi(order as i32);
                channels.iter().zip(&self.scales.bounds[order]).map(|(c, b)| (c.name.as_str(), b[1] * scale)).collect()
            };
            file["limits"] = json!({ "velocity": by(1), "acceleration": by(2), "unit": unit });
            if let Some(soften) = asked.soften {
                file["limits"]["soften"] = json!(soften);
            }
        }
        let mut goals: BTreeMap<usize, BTreeMap<&str, f64>> = BTreeMap::new();
        for (frame, channel, value) in self.goals(case) {
            goals.entry(frame).or_default().insert(&channels[channel].name, value);
        }
        if !goals.is_empty() {
            let goal = |(frame, joints): (&usize, &BTreeMap<&str, f64>)| {
                let at = format!("{}f", frame + 1);
                json!({ "joints": joints, "unit": unit, "at": at })
            };
            file["goal"] = goals.iter().map(goal).collect();
        }
        file
    }

    /// Draws and scores a window by all ways; one whose own motion before contradicts the limits is skipped.
    fn compare(
        &self,
        (asked, case): (&Asked, &str),
        model: &Model,
        (unit, seed): (usize, u64),
        found: &mut OfModel,
    ) -> Result<()> {
        let goals = self.goals(case);
        let request = |samples: usize| Request { horizon: asked.horizon, samples };
        let settings = self.settings(case, model, asked);
        let constraints = model.constraints(&settings, "case".as_ref(), asked.horizon, None)?;
        let begun = Instant::now();
        let drawn = match model.forecast_constrained(self.history, &request(asked.samples), &constraints, seed) {
            Err(Error::Data { .. }) => {
                found.skipped += 1;
                return Ok(());
            }
            other => other?,
        };
        let seconds = begun.elapsed().as_secs_f64();
        let timed = |samples: usize| -> Result<(Vec<Vec<f64>>, f64)> {
            let begun = Instant::now();
            let free = model.forecast(self.history, &request(samples), seed)?;
            Ok((futures(&free), begun.elapsed().as_secs_f64()))
        };
        let (free, free_seconds) = timed(asked.samples)?;
        let limits = ["limits", "both"].contains(&case);
        let bent: Vec<_> = free.iter().map(|f| self.bent(f, &goals)).collect();
        let clipped: Vec<_> = free.iter().map(|f| self.clipped(f, &goals, limits)).collect();
        let (many, many_seconds) = timed(asked.best)?;
        let key = |f: &[f64]| (if limits { self.violations(f) } else { 0 }, self.missed(f, &goals));
        let mut keyed: Vec<_> = many.into_iter().map(|f| (key(&f), f)).collect();
        keyed.sort_by(|((va, ma), _), ((vb, mb), _)| va.cmp(vb).then(ma.total_cmp(mb)));
        let many: Vec<_> = keyed.into_iter().take(asked.samples).map(|(_, f)| f).collect();
        let ways = [free, futures(&drawn), clipped, bent, many];
        let times = [free_seconds, seconds, free_seconds, free_seconds, many_seconds];
        for ((way, samples), seconds) in found.ways.iter_mut().zip(&ways).zip(times) {
            way.samples += samples.len();
            way.violated += samples.iter().filter(|f| self.violations(f) > 0).count();
            way.reached += samples.iter().filter(|f| self.missed(f, &goals) <= WITHIN).count();
            way.score += self.energy_score(samples);
            way.seconds += seconds;
            self.cut(&samples[0], unit, &mut way.segments);
        }
        self.cut(self.truth, unit, &mut found.real);
        Ok(())
    }

    /// Difference of an order at frame `t`.
    fn difference(&self, future: &[f64], order: usize, t: usize, c: usize) -> f64 {
        let at = |back: usize| match t.checked_sub(back) {
            Some(t) => future[t * self.d + c],
            None => self.history[self.history.len() - (back - t) * self.d + c],
        };
        match order {
            0 => at(0),
            1 => at(0) - at(1),
            _ => at(0) - 2.0 * at(1) + at(2),
        }
    }

    /// Speeds and accelerations beyond their limits.
    fn violations(&self, future: &[f64]) -> usize {
        let beyond = |order: usize, i: usize| {
            let [low, high] = self.scales.bounds[order][i % self.d];
            // Numbers of half precision come and go.
            let room = 1e-5 * (high - low);
            let value = self.difference(future, order, i / self.d, i % self.d);
            value < low - room || value > high + room
        };
        (0..future.len()).map(|i| (1..3).filter(|order| beyond(*order, i)).count()).sum()
    }

    fn missed(&self, future: &[f64], goals: &[(usize, usize, f64)]) -> f64 {
        let miss = |(frame, c, value): &(usize, usize, f64)| (future[frame * self.d + c] - value).abs();
        goals.iter().map(miss).fold(0.0, f64::max)
    }

    /// A free sample whose speeds and accelerations are cut off frame by frame, then put at its goals.
    fn clipped(&self, free: &[f64], goals: &[(usize, usize, f64)], limits: bool) -> Vec<f64> {
        let mut motion = free.to_vec();
        for i in (0..motion.len()).filter(|_| limits) {
            let (t, c) = (i / self.d, i % self.d);
            let speed = self.difference(&motion, 1, t, c);
            let (before, last) = (motion[i] - speed, speed - self.difference(&motion, 2, t, c));
            let [[vl, vh], [al, ah]] = [self.scales.bounds[1][c], self.scales.bounds[2][c]];
            motion[i] = before + speed.clamp(last + al, last + ah).clamp(vl, vh);
        }
        goals.iter().for_each(|(frame, c, value)| motion[frame * self.d + c] = *value);
        motion
    }

    /// A free sample to which the straight line between what its goals miss is added.
    fn bent(&self, free: &[f64], goals: &[(usize, usize, f64)]) -> Vec<f64> {
        let mut motion = free.to_vec();
        for c in 0..self.d {
            let mut before = (-1isize, 0.0);
            for (frame, _, value) in goals.iter().filter(|goal| goal.1 == c) {
                let miss = value - free[frame * self.d + c];
                let span = (*frame as isize - before.0) as f64;
                for t in before.0 + 1..=*frame as isize {
                    let share = (t - before.0) as f64 / span;
                    motion[t as usize * self.d + c] += before.1 + share * (miss - before.1);
                }
                before = (*frame as isize, miss);
            }
        }
        motion
    }

    /// The energy score of each frame's z-scores, in its unbiased form, distances divided by the root of the channels.
    fn energy_score(&self, samples: &[Vec<f64>]) -> f64 {
        let distance = |a: &[f64], b: &[f64], t: usize| {
            let square = |c: usize| ((a[t * self.d + c] - b[t * self.d + c]) / self.scales.std[c]).powi(2);
            ((0..self.d).map(square).sum::<f64>() / self.d as f64).sqrt()
        };
        let (s, frames) = (samples.len(), self.truth.len() / self.d);
        let of = |t: usize| {
            let miss = samples.iter().map(|f| distance(f, self.truth, t)).sum::<f64>() / s as f64;
            let pairs = (1..s).flat_map(|i| (0..i).map(move |j| (i, j)));
            let spread: f64 = pairs.map(|(i, j)| distance(&samples[i], &samples[j], t)).sum();
            miss - spread / (s * (s - 1)).max(1) as f64
        };
        (0..frames).map(of).sum::<f64>() / frames as f64
    }

    fn cut(&self, future: &[f64], unit: usize, into: &mut Segments) {
        for first in (0..=future.len() / self.d - SEGMENT).step_by(SEGMENT) {
            let cells = (first * self.d..(first + SEGMENT) * self.d).map(|i| {
                (self.difference(future, 1, i / self.d, i % self.d) / self.scales.speed[i % self.d].max(1e-9)) as f32
            });
            into.points.push(cells.collect());
            into.unit.push(unit);
        }
    }
}

fn futures(forecast: &Forecast) -> Vec<Vec<f64>> {
    (0..forecast.futures.shape()[1]).map(|s| forecast.futures.future(0, s).to_vec()).collect()
}

/// The lines of a case.
fn tell(case: &str, models: &[OfModel]) {
    let of = |m: &OfModel| Distances::of(&m.real, &m.ways.iter().map(|way| &way.segments).collect::<Vec<_>>());
    let distances: Vec<Distances> = models.iter().map(of).collect();
    let ratio = |way: usize, of: &[(usize, Vec<f64>)]| {
        let sum = |way: usize| of.iter().map(|(m, weights)| distances[*m].distance(way, weights)).sum::<f64>();
        sum(way) / sum(0)
    };
    let whole: Vec<_> = distances.iter().enumerate().map(|(m, d)| (m, vec![1.0; d.units])).collect();
    let mut noise = Noise::new(1);
    let resamples: Vec<Vec<(usize, Vec<f64>)>> = (0..RESAMPLES)
        .map(|_| {
            let chosen = noise.indices(models.len(), models.len());
            let draw = |m: usize| {
                let mut weights = vec![0.0; distances[m].units];
                noise.indices(weights.len(), weights.len()).into_iter().for_each(|u| weights[u] += 1.0);
                (m, weights)
            };
            chosen.into_iter().map(draw).collect()
        })
        .collect();
    let skipped: usize = models.iter().map(|m| m.skipped).sum();
    let windows: usize = models.iter().map(|m| m.windows).sum();
    for (way, name) in WAYS.iter().enumerate() {
        let mut ratios: Vec<f64> = resamples.iter().map(|of| ratio(way, of)).collect();
        ratios.sort_by(f64::total_cmp);
        let [low, high] = [25, 974].map(|i| ratios[i]);
        let sum = |of: &dyn Fn(&Way) -> f64| models.iter().map(|m| of(&m.ways[way])).sum::<f64>();
        let samples = sum(&|way| way.samples as f64);
        let drawn = (windows - skipped).max(1) as f64;
        println!(
            "| {case} | {name} | {:.2} % | {} | {:.3} [{low:.3}, {high:.3}] | {:.4} | {:.3} | {skipped} of {windows} |",
            100.0 * sum(&|way| way.violated as f64) / samples,
            if case == "limits" {
                "-".into()
            } else {
                format!("{:.2} %", 100.0 * sum(&|way| way.reached as f64) / samples)
            },
            ratio(way, &whole),
            sum(&|way| way.score) / drawn,
            sum(&|way| way.seconds) / drawn,
        );
    }
}
