//! Learning classes a few at a time, without the images of before (class-incremental: van de Ven & Tolias 2019, and for
//! energies Li et al. 2020, "Energy-Based Models for Continual Learning"). Every method sees each training image once,
//! task after task, and is then asked which of all classes a test image is.

mod classifier;
mod energy;
mod learner;
mod perceptron;
mod plan;
#[cfg(test)]
mod tests;
mod vae;

pub use plan::{ContinualConfig, Method, Plan};

use crate::experiment::{Journal, advance};
use crate::image::Images;
use classifier::{Classifier, Ewc, Lwf, Si, Unguarded};
use ebmotion::event::{Event, Sink};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use ebmotion_engine::parallel;
use energy::{Labels, Reconstruction};
use learner::{Learner, Task};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vae::Vae;

/// One method, trained once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The method.
    pub method: Method,
    /// Which of its runs, from 0.
    pub run: usize,
    /// Share of right answers among all classes on the test images, after the last task.
    pub accuracy: f64,
    /// After each task: the share of right answers on the test images of each task so far, among the classes so far.
    pub by_task: Vec<Vec<f64>>,
    /// Trainable numbers.
    pub parameters: usize,
}

/// A method's runs together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRow {
    /// The method.
    pub method: Method,
    /// Number of runs.
    pub runs: usize,
    /// Mean accuracy over the runs, 0 to 1.
    pub mean: f64,
    /// Its standard deviation (of the sample, so with `runs - 1`); 0 for a single run.
    pub std: f64,
    /// Trainable numbers.
    pub parameters: usize,
}

/// A setting that tuning has tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningTrial {
    /// The method.
    pub method: Method,
    /// The setting.
    pub plan: Plan,
    /// Its accuracy on the images kept for that.
    pub accuracy: f64,
}

/// The training images as tasks, and the images that judge.
struct Protocol {
    tasks: Vec<Task>,
    judges: Vec<Task>,
    classes: usize,
    pixels: usize,
}

impl Protocol {
    fn new(train: &Images, judge: &Images, per_task: usize) -> Result<Self> {
        if train.shape() != judge.shape() {
            let expected = format!("{:?}, as of `{}`", train.shape(), train.name);
            return Err(Error::data(format!("shape of `{}`", judge.name), format!("{:?}", judge.shape()), expected));
        }
        train.known_labels()?;
        judge.known_labels()?;
        let classes = train.class_count();
        if classes < 2 || judge.class_count() > classes {
            let expected = format!("2 or more, and all those of `{}`", judge.name);
            return Err(Error::data(format!("classes of `{}`", train.name), classes, expected));
        }
        let ranges = (0..classes).step_by(per_task).map(|c| c..(c + per_task).min(classes));
        let both = |r: std::ops::Range<usize>| Ok((Task::new(train, r.clone())?, Task::new(judge, r)?));
        let (tasks, judges) = ranges.map(both).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Self { tasks, judges, classes, pixels: train.size() })
    }

    /// All classes in one task.
    fn joined(train: &Images, judge: &Images) -> Result<Self> {
        Self::new(train, judge, train.class_count().max(1))
    }

    fn learner(&self, method: Method, config: &ContinualConfig, noise: &mut Noise) -> Result<Box<dyn Learner>> {
        let plan = config.plan(method);
        let (pixels, hidden, classes) = (self.pixels, config.hidden, self.classes);
        let sizes = [pixels, hidden, hidden, classes];
        let strength = plan.strength;
        Ok(match method {
            Method::Ebm => Box::new(Reconstruction::new(pixels, hidden, classes, plan, noise)?),
            Method::EbmLabels => Box::new(Labels::new(pixels, hidden, classes, plan, noise)?),
            Method::Vae => Box::new(Vae::new(pixels, hidden, classes, config.latent, plan, noise)?),
            Method::Lwf => Box::new(Classifier::new(&sizes, plan, Lwf::new(strength, &sizes), noise)?),
            Method::Ewc => Box::new(Classifier::new(&sizes, plan, Ewc::new(strength), noise)?),
            Method::Si => Box::new(Classifier::new(&sizes, plan, Si::new(strength), noise)?),
            Method::FineTuning | Method::Joint => Box::new(Classifier::new(&sizes, plan, Unguarded, noise)?),
        })
    }

    /// Trains a method on task after task. Its numbers depend on `noise` alone.
    fn run(&self, method: Method, run: usize, config: &ContinualConfig, noise: &Noise) -> Result<Run> {
        let mut learner = self.learner(method, config, &mut noise.fork(0))?;
        let mut by_task = Vec::new();
        for (t, task) in self.tasks.iter().enumerate() {
            learner.learn(task, &mut noise.fork(1 + t as u64))?;
            let right = |judge: &Task| right_share(learner.as_ref(), judge, task.classes.end);
            by_task.push(self.judges[..=t].iter().map(right).collect::<Result<Vec<_>>>()?);
        }
        let last = by_task.last().map_or(&[][..], Vec::as_slice);
        let counts = self.judges.iter().map(|j| j.labels.len() as f64);
        let all: f64 = counts.clone().sum();
        let accuracy = last.iter().zip(counts).map(|(share, n)| share * n).sum::<f64>() / all;
        Ok(Run { method, run, accuracy, by_task, parameters: learner.parameters() })
    }
}

/// Share of a task's images whose best class among the first `seen` is their own.
fn right_share(learner: &dyn Learner, judge: &Task, seen: usize) -> Result<f64> {
    let scores = learner.scores(&judge.x)?;
    let best = |row: &[f32]| (0..seen).max_by(|a, b| row[*a].total_cmp(&row[*b]));
    let right = scores.iter().zip(&judge.labels).filter(|(row, label)| best(row) == Some(**label)).count();
    Ok(right as f64 / judge.labels.len() as f64)
}

/// Trains every method `config.seeds` times, as many at once as there are cores.
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::Data`] for images without labels, with fewer than two classes
/// or of different shapes; [`Error::Interrupted`] when the sink asks to stop, after the runs in progress; as
/// [`Journal::begin`] for what was kept.
pub fn run(
    train: &Images,
    test: &Images,
    config: &ContinualConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<Vec<Run>> {
    config.validate(train.class_count())?;
    let tasks = Protocol::new(train, test, config.classes_per_task)?;
    let joined = Protocol::joined(train, test)?;
    let all = config.methods.iter().flat_map(|m| (0..config.seeds).map(|run| (*m, run)));
    let jobs = all.map(|(method, run)| (format!("{} {run}", method.name()), (method, run))).collect();
    let one = |(method, run): (Method, usize)| {
        let protocol = if method == Method::Joint { &joined } else { &tasks };
        // Every method of a run gets the same order of images and, where it has the same network, the same weights.
        protocol.run(method, run, config, &Noise::new(config.seed).fork(run as u64))
    };
    let mut runs = waves("continual", jobs, journal, sink, one)?;
    runs.sort_by_key(|r: &Run| (r.method, r.run));
    Ok(runs)
}

/// Tries every setting of each method's grid on the training set without its last `config.validation` images (in random
/// order), which then judge; the test set has no part in it. Returns the settings with the best of each method and all
/// trials.
///
/// # Errors
/// As [`run`]; [`Error::Data`] when nothing would be left to train on.
pub fn tune(
    train: &Images,
    config: &ContinualConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<(ContinualConfig, Vec<TuningTrial>)> {
    config.validate(train.class_count())?;
    // Far from the labels of the final runs: their order of images is not the one that was tuned on.
    let noise = Noise::new(config.seed).fork(u64::MAX);
    let order = noise.fork(0).permutation(train.len());
    let Some(kept) = train.len().checked_sub(config.validation).filter(|n| *n > 0 && config.validation > 0) else {
        let expected = format!("1 to {}", train.len() - 1);
        return Err(Error::config("validation", config.validation, expected));
    };
    let (train, judge) = (train.select(&order[..kept])?, train.select(&order[kept..])?);
    let tasks = Protocol::new(&train, &judge, config.classes_per_task)?;
    let joined = Protocol::joined(&train, &judge)?;
    let mut jobs = Vec::new();
    for method in &config.methods {
        let [rates, batches, strengths] = ContinualConfig::grid(*method);
        for (rate, batch, strength) in
            rates.iter().flat_map(|r| batches.iter().flat_map(move |b| strengths.iter().map(move |s| (*r, *b, *s))))
        {
            let plan = Plan { learning_rate: rate, batch: batch as usize, strength };
            jobs.push((format!("{} {rate} {batch} {strength}", method.name()), (*method, plan)));
        }
    }
    let one = |(method, plan): (Method, Plan)| {
        let mut config = config.clone();
        *config.plan_mut(method) = plan.clone();
        let protocol = if method == Method::Joint { &joined } else { &tasks };
        let accuracy = protocol.run(method, 0, &config, &noise.fork(1))?.accuracy;
        Ok(TuningTrial { method, plan, accuracy })
    };
    let trials: Vec<TuningTrial> = waves("tune", jobs, journal, sink, one)?;
    let mut best = config.clone();
    for method in &config.methods {
        let of = trials.iter().filter(|t| t.method == *method);
        if let Some(trial) = of.max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) {
            *best.plan_mut(*method) = trial.plan.clone();
        }
    }
    Ok((best, trials))
}

/// The work of named jobs on all cores, a wave of one job a core at a time, so that the sink is asked in between.
fn waves<J: Clone + Sync, T: Send + Serialize + DeserializeOwned>(
    phase: &str,
    jobs: Vec<(String, J)>,
    journal: &Journal,
    sink: &mut dyn Sink,
    one: impl Fn(J) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut all = jobs.iter().map(|(name, _)| journal.get(name)).collect::<Result<Vec<Option<T>>>>()?;
    let open: Vec<usize> = (0..jobs.len()).filter(|i| all[*i].is_none()).collect();
    let mut done = jobs.len() - open.len();
    sink.emit(&Event::Begin { phase, total: jobs.len() as u64 })?;
    for wave in open.chunks(parallel::available()) {
        for (i, found) in wave.iter().zip(parallel::map(wave.len(), wave.len(), |w| one(jobs[wave[w]].1.clone()))) {
            let found = found?;
            journal.put(&jobs[*i].0, &found)?;
            all[*i] = Some(found);
        }
        done += wave.len();
        advance(sink, done, jobs.len(), "")?;
    }
    sink.emit(&Event::End)?;
    Ok(all.into_iter().flatten().collect())
}

/// The table: a row a method, in the order of [`Method::ALL`].
pub fn table(runs: &[Run]) -> Vec<MethodRow> {
    let row = |method: &Method| {
        let of: Vec<&Run> = runs.iter().filter(|r| r.method == *method).collect();
        let n = of.len() as f64;
        let mean = of.iter().map(|r| r.accuracy).sum::<f64>() / n;
        let square = of.iter().map(|r| (r.accuracy - mean).powi(2)).sum::<f64>();
        let std = if of.len() > 1 { (square / (n - 1.0)).sqrt() } else { 0.0 };
        of.first().map(|first| MethodRow { method: *method, runs: of.len(), mean, std, parameters: first.parameters })
    };
    Method::ALL.iter().filter_map(row).collect()
}
