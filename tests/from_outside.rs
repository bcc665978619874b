//! A baseline, an anomaly score and a kind of motion model that the library does not know, by its public names alone.

use candle_core::{DType, Device, Tensor};
use ebmotion::anomaly::{AnomalyScore, Detector, Findings, SCORES, ScoreSpec};
use ebmotion::eval::{Baselines, CompareOptions, compare_with_baselines};
use ebmotion::event::Silent;
use ebmotion::forecast::{
    Baseline, Dataset, Forecaster, Model, ModelConfig, MotionModel, MotionRun, OtherConfig, Request, RunConfig,
    TrainedMotion, WindowArray, baseline_named, history_rows,
};
use ebmotion::model::{Activation, Mlp, MlpConfig};
use ebmotion::noise::Noise;
use ebmotion::settings::{Auto, from_json};
use ebmotion::train::objective::Regression;
use ebmotion::train::{Batch, BatchSource};
use ebmotion::trajectory::{Channel, Episode, Frames};
use ebmotion::{Error, Result};
use own_baseline::FadeBaseline;
use serde_json::json;

/// The baseline of CONTRIBUTING.md.
#[path = "../examples/own_baseline.rs"]
#[allow(dead_code)]
mod own_baseline;

/// Of each channel, the largest jump from one frame to the next, in units of the usual one.
struct Jump {
    usual: Vec<f64>,
}

impl Jump {
    fn largest(windows: &WindowArray) -> Vec<f64> {
        let (d, frames) = (windows.channels, windows.context + windows.future);
        let largest = |(window, c): (&[f32], usize)| {
            (1..frames).map(|t| f64::from((window[t * d + c] - window[(t - 1) * d + c]).abs())).fold(0.0, f64::max)
        };
        windows.values.chunks_exact(frames * d).flat_map(|w| (0..d).map(move |c| (w, c))).map(largest).collect()
    }
}

impl AnomalyScore for Jump {
    fn name(&self) -> &'static str {
        "jump"
    }

    fn by_channel(&self) -> bool {
        true
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        Ok(Self::largest(windows).iter().zip(self.usual.iter().cycle()).map(|(jump, usual)| jump / usual).collect())
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(vec![("jump.usual".into(), Tensor::new(&self.usual[..], &Device::Cpu)?)])
    }
}

static JUMP: ScoreSpec = ScoreSpec {
    fit: |_, windows| {
        let (all, d) = (Jump::largest(windows), windows.channels);
        let mean = |c: usize| all.iter().skip(c).step_by(d).sum::<f64>() / windows.len() as f64;
        Ok(Some(Box::new(Jump { usual: (0..d).map(mean).collect() })))
    },
    restore: |_, get| Ok(Some(Box::new(Jump { usual: get("jump.usual")?.to_vec1()? }))),
};

/// A network from a few frames to the next, by least squares.
#[derive(Debug)]
struct NextFrame;

/// What it learns.
#[derive(Debug, Clone)]
struct NextFrameModel {
    net: Mlp,
    context: usize,
    channels: usize,
}

/// Windows: the last frame is to be told from those before it.
struct Pairs {
    training: [Tensor; 2],
    validation: [Tensor; 2],
}

impl Pairs {
    fn new(training: &WindowArray, validation: &WindowArray) -> Result<Self> {
        let cut = |w: &WindowArray| -> Result<[Tensor; 2]> {
            let part =
                |from, frames| Tensor::from_vec(w.cut(from, frames), (w.len(), frames, w.channels), &Device::Cpu);
            Ok([part(0, w.context)?, part(w.context, w.future)?])
        };
        Ok(Self { training: cut(training)?, validation: cut(validation)? })
    }
}

impl BatchSource for Pairs {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let [context, x] = &self.training;
        let rows: Vec<u32> = noise.indices(size, x.dim(0)?).into_iter().map(|i| i as u32).collect();
        let rows = Tensor::new(rows, &Device::Cpu)?;
        Ok(Batch { x: x.index_select(&rows, 0)?, context: Some(context.index_select(&rows, 0)?), start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        let [context, x] = self.validation.clone();
        Ok(Some(Batch { x, context: Some(context), start: None }))
    }
}

impl NextFrame {
    fn fresh(config: &RunConfig, channels: usize, noise: &mut Noise) -> Result<Mlp> {
        let ModelConfig::Other(OtherConfig { context, chunk: 1, settings, .. }) = &config.model else {
            return Err(Error::config("model.chunk", config.model.frames().1, "1"));
        };
        let config = MlpConfig {
            inputs: context * channels,
            context: 0,
            hidden: vec![from_json(&settings["width"])?],
            positions: None,
            outputs: channels,
            activation: Activation::Swish,
            spectral_norm: false,
        };
        Mlp::new(config, noise, DType::F32, &Device::Cpu)
    }

    fn model(config: &RunConfig, channels: usize, net: Mlp) -> Result<Box<dyn TrainedMotion>> {
        Ok(Box::new(NextFrameModel { net, context: config.model.frames().0, channels }))
    }
}

impl MotionModel for NextFrame {
    fn kind(&self) -> &str {
        "next_frame"
    }

    fn train(&self, run: &mut MotionRun<'_>) -> Result<Box<dyn TrainedMotion>> {
        let d = run.training.channels;
        let source = Pairs::new(&run.training, &run.validation)?;
        let mut objective = Regression { net: Self::fresh(run.config, d, &mut run.weights())? };
        run.train(&mut objective, &source)?;
        Self::model(run.config, d, objective.net)
    }

    fn load(
        &self,
        config: &RunConfig,
        channels: usize,
        get: &dyn Fn(&str) -> Result<Tensor>,
    ) -> Result<Box<dyn TrainedMotion>> {
        let net = Self::fresh(config, channels, &mut Noise::new(0))?;
        net.parameters().assign(|name| get(&format!("weight/{name}")))?;
        Self::model(config, channels, net)
    }
}

impl Forecaster for NextFrameModel {
    fn name(&self) -> &str {
        "ebm"
    }

    fn context_frames(&self) -> usize {
        self.context
    }

    fn parameters(&self) -> usize {
        self.net.parameters().count()
    }

    fn evaluations_per_chunk(&self) -> usize {
        1
    }

    fn forecast(&self, history: &Tensor, request: &Request, _: &mut Noise) -> Result<Tensor> {
        request.check()?;
        let (batch, frames) = history_rows(history, self.context, self.channels)?;
        let mut frames = Tensor::from_vec(frames, (batch, self.context, self.channels), &Device::Cpu)?;
        for t in 0..request.horizon {
            let next = self.net.forward(&frames.narrow(1, t, self.context)?, None)?.unsqueeze(1)?;
            frames = Tensor::cat(&[&frames, &next], 1)?;
        }
        Ok(frames.narrow(1, self.context, request.horizon)?.unsqueeze(1)?)
    }

    /// Half the squared distance from what it expects.
    fn energy(&self, history: &Tensor, future: &Tensor) -> Result<Option<Tensor>> {
        let request = Request { horizon: future.dim(1)?, samples: 1 };
        let expected = self.forecast(history, &request, &mut Noise::new(0))?.squeeze(1)?;
        Ok(Some(((future - expected)?.sqr()?.sum(2)? * 0.5)?))
    }
}

impl TrainedMotion for NextFrameModel {
    fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.net.parameters().named("weight/"))
    }
}

/// 20 episodes of 200 frames: two joints that swing, with a little noise.
fn frames() -> Result<Frames> {
    let channel = |name: &str| Channel { name: name.into(), unit: None, period: None };
    let episode = |e: usize| -> Result<Episode> {
        let noise = Noise::new(e as u64).normal((200, 2), DType::F64, &Device::Cpu)?.to_vec2::<f64>()?;
        let at = |(t, n): (usize, Vec<f64>)| {
            let phase = 0.2 * t as f64 + e as f64;
            [phase.sin() + 0.02 * n[0], (0.7 * phase).cos() + 0.02 * n[1]]
        };
        let values = noise.into_iter().enumerate().flat_map(at).collect();
        Ok(Episode { id: format!("e{e}"), time_secs: (0..200).map(|t| t as f64 / 25.0).collect(), values })
    };
    let episodes = (0..20).map(episode).collect::<Result<_>>()?;
    Ok(Frames {
        channels: vec![channel("shoulder"), channel("elbow")],
        rate_hz: 25.0,
        episodes,
        sources: Vec::new(),
        notes: Vec::new(),
    })
}

fn config() -> Result<RunConfig> {
    let settings = [("width".to_string(), json!(16))].into_iter().collect();
    let model = ModelConfig::Other(OtherConfig { kind: "next_frame".into(), context: 4, chunk: 1, settings });
    let mut config = RunConfig { model, ..RunConfig::default() };
    config.train.steps = Auto::Set(300);
    config.train.average_decay = 0.9;
    config.train.optimizer.learning_rate = 1e-2;
    config.train.optimizer.warmup_steps = 10;
    config.with_one("model.width", "24")
}

fn train(dataset: &Dataset) -> Result<Model> {
    Model::train_with(dataset, &config()?, &[&NextFrame], None, &mut Silent)
}

#[test]
fn settings_of_another_kind_are_written_and_read() -> Result<()> {
    let config = config()?;
    let text = serde_json::to_value(&config).expect("settings are plain data");
    assert_eq!(text["model"], json!({ "kind": "next_frame", "context": 4, "chunk": 1, "width": 24 }));
    assert_eq!(serde_json::from_value::<RunConfig>(text).expect("what was just written"), config);
    let refused = config.with_one("model.depth", "3").expect_err("no such setting").to_string();
    assert!(refused.contains("model.depth") && refused.contains("width"), "{refused}");
    let refused = Model::train(&Dataset::new(frames()?, &config)?, &config, None, false, &mut Silent);
    let refused = refused.expect_err("a kind that nobody gave").to_string();
    assert!(refused.contains("next_frame") && refused.contains("denoising, igebm"), "{refused}");
    Ok(())
}

#[test]
fn a_baseline_stands_in_the_report_beside_a_model() -> Result<()> {
    let config = config()?;
    let dataset = Dataset::new(frames()?, &config)?;
    let folder = tempfile::tempdir().expect("a folder");
    let models = train(&dataset)?.train_seeds(2, &dataset, &config, Some(folder.path()), &mut Silent)?;
    assert_eq!((models.len(), models[1].info().config.seed), (2, 1));
    let rows: [&dyn Baseline; 2] = [&FadeBaseline, baseline_named("hold")?];
    let changes = [("fade.stride".to_string(), "3".to_string())];
    let baselines = Baselines { rows: &rows, changes: &changes, kept: None };
    let mut options = CompareOptions::new(10, 0);
    options.evaluation.bootstrap.replicates = 50;
    let compare = |baselines: &Baselines<'_>| {
        compare_with_baselines(&models, Vec::new(), &dataset, baselines, &options, &mut Silent)
    };
    let comparison = compare(&baselines)?;
    comparison.write(folder.path())?;
    let text = std::fs::read(folder.path().join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let rmse = |name: &str| report["forecasters"][name]["rmse"]["mean"].as_f64().expect(name);
    // Two swings are known from four frames; they neither stop nor fade.
    let figures = ["ebm", "fade", "hold"].map(rmse);
    assert!(figures[0] < 0.5 * figures[1] && figures[1] < figures[2], "{figures:?}");
    assert_eq!(report["comparisons"]["fade"]["rmse"]["verdict"], "better");
    let unknown = [("fade.length".to_string(), "3".to_string())];
    let refused = compare(&Baselines { changes: &unknown, ..baselines }).expect_err("no such setting").to_string();
    assert!(refused.contains("length") && refused.contains("stride"), "{refused}");
    Ok(())
}

#[test]
fn a_score_finds_what_it_is_for_and_is_kept_in_the_file_of_a_model() -> Result<()> {
    let dataset = Dataset::new(frames()?, &config()?)?;
    let model = train(&dataset)?;
    // Beside one that looks for the opposite, and beside all.
    let [few, all] = [&SCORES[5..], &SCORES[..]].map(|own| own.iter().copied().chain([&JUMP]).collect::<Vec<_>>());
    let detector = Detector::fit_with(&model, &dataset, &few)?;
    let mut log = frames()?;
    // The elbow is elsewhere for a frame.
    log.episodes[3].values[2 * 100 + 1] += 1.0;
    let found = detector.search(&log, 0.02)?;
    let jumps: Vec<_> = found.alarms().filter(|alarm| alarm.judge == "jump").collect();
    assert!(!jumps.is_empty(), "{:?}", found.alarms().collect::<Vec<_>>());
    assert!(
        jumps.iter().any(|a| a.episode == "e3" && a.channel.as_deref() == Some("elbow") && a.start_secs <= 4.0),
        "{jumps:?}"
    );

    // Where no score looks at channels, none is named.
    let found = Detector::fit_with(&model, &dataset, &SCORES[1..3])?.search(&log, 0.02)?;
    assert!(found.windows.iter().all(|w| w.channel.is_none() && ["energy", "time_reversal"].contains(&w.judge)));

    let detector = Detector::fit_with(&model, &dataset, &all)?;
    let found = detector.search(&log, 0.02)?;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    model.save(&path)?;
    detector.attach(&path)?;
    let again = Model::load_with(&path, &[&NextFrame])?;
    let windows = |found: &Findings| found.windows.clone();
    assert_eq!(windows(&Detector::load_with(&again, &path, &all)?.search(&log, 0.02)?), windows(&found));
    let history: Vec<f64> = log.episodes[0].values[..20].to_vec();
    let request = Request { horizon: 5, samples: 1 };
    let forecast = |model: &Model| model.forecast(&history, &request, 1).map(|f| f.futures.values().to_vec());
    assert_eq!(forecast(&again)?, forecast(&model)?);

    let refused = Model::load(&path).expect_err("a kind that nobody gave").to_string();
    assert!(refused.contains("next_frame") && refused.contains("m.safetensors"), "{refused}");
    let Err(refused) = Detector::load(&again, &path) else { panic!("a score that nobody gave") };
    assert!(refused.to_string().contains("`jump`"), "{refused}");
    let Err(refused) = Detector::fit_with(&model, &dataset, &[&JUMP, &JUMP]) else { panic!("twice one name") };
    assert!(refused.to_string().contains("`jump` twice"), "{refused}");
    Ok(())
}

/// The text shows what runs.
#[test]
fn the_walked_example_is_the_code_of_the_baseline() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).expect(name);
    let (text, code) = (read("CONTRIBUTING.md"), read("examples/own_baseline.rs"));
    let shown: Vec<&str> = text.split("```rust\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert!(shown.len() >= 2, "a forecaster and its row");
    for block in shown {
        assert!(code.contains(block), "not in the example:\n{block}");
    }
}
