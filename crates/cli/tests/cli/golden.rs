//! Short runs whose figures are on record: a change of structure must not change a number.
//!
//! `tests/data/golden/*.json` were written by `EBMOTION_GOLDEN=record cargo test --release -p ebmotion-cli --test cli
//! golden`, before the restructuring that they guard. On the processor that wrote them every figure is compared to the
//! bit, or where a formula is written otherwise now to [`REWRITTEN`] of the largest figure beside it. Elsewhere, where
//! vector units and matrix products round otherwise, to [`ROUNDING`] of it.

use super::image::{COMPOSE, halves};
use super::*;
use ebmotion_images::image::Images;
use serde_json::Value;
use std::collections::BTreeMap;

/// Share of the largest figure of a series by which another processor may differ after a few training steps.
const ROUNDING: f64 = 5e-3;

/// The same for runs whose steps down the noise levels are the same formula in other words.
const REWRITTEN: f64 = 1e-4;

/// Figures by their place in what a run wrote.
type Record = BTreeMap<String, Vec<f64>>;

/// The processor as far as arithmetic depends on it: name, cache (matrix products are cut by it) and instructions.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_string();
    let flags = line("flags");
    let vector: Vec<&str> = flags.split_whitespace().filter(|flag| flag.starts_with("avx") || *flag == "fma").collect();
    format!("{} / {} / {}", line("model name"), line("cache size"), vector.join(" ")).replace('\t', "")
}

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/golden/{name}.json"))
}

/// Holds a run's figures against the record, or records them.
#[track_caller]
fn golden(name: &str, found: &Record) {
    golden_to(name, found, 0.0);
}

/// The same, to a share of the largest figure of a series.
#[track_caller]
fn golden_to(name: &str, found: &Record, rewritten: f64) {
    let path = recorded(name);
    if std::env::var("EBMOTION_GOLDEN").is_ok_and(|v| v == "record") {
        let record = serde_json::json!({ "processor": processor(), "figures": found });
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, serde_json::to_string(&record).unwrap() + "\n").unwrap();
        return;
    }
    let record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let same = record["processor"] == processor();
    let expected: Record = serde_json::from_value(record["figures"].clone()).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
    for (key, expected) in &expected {
        let found = &found[key];
        assert_eq!(found.len(), expected.len(), "{name} {key}");
        let scale = expected.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let equal = match same {
                true => (found - expected).abs() <= rewritten * scale,
                false => (found - expected).abs() <= ROUNDING * scale,
            };
            assert!(equal, "{name} {key} [{i}]: {found}, on record {expected}");
        }
    }
}

/// All numbers below a value, in their order.
fn numbers(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Number(n) => into.push(n.as_f64().unwrap()),
        Value::Array(all) => all.iter().for_each(|v| numbers(v, into)),
        Value::Object(all) => all.values().for_each(|v| numbers(v, into)),
        _ => {}
    }
}

/// The numbers at pointers into a JSON file, under names of their own (keys of files may be renamed, these stay).
#[track_caller]
fn pick(path: &Path, places: &[(&str, &str)]) -> Record {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let at = |(name, pointer): &(&str, &str)| {
        let mut found = Vec::new();
        numbers(json.pointer(pointer).unwrap_or(&Value::Null), &mut found);
        assert!(!found.is_empty(), "nothing at {pointer} in {}", path.display());
        ((*name).to_string(), found)
    };
    places.iter().map(at).collect()
}

/// Loss, gradient norm and validation figure of every logged step.
fn telemetry(path: &Path) -> Record {
    let mut record = Record::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let values: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        for (key, value) in values.iter().filter(|(key, _)| !key.contains("second")) {
            numbers(value, record.entry(key.clone()).or_default());
        }
    }
    record
}

const QUICK: [&str; 8] =
    ["--set", "model.chunk=4", "--set", "train.steps=60", "--set", "train.batch=16", "--set", "train.log_every=10"];

/// Ways to draw a chunk, all that there are.
const SAMPLERS: &[(&str, &[&str])] = &[
    ("default", &[]),
    ("levels", &["levels=10"]),
    ("warm", &["start=1.1", "end=0.3", "temperature=1.2"]),
    ("guided", &["guidance=1.4"]),
    ("ancestral", &["eta=1"]),
    ("corrected", &["corrector_steps=2", "corrector_size=0.2"]),
    ("all", &["levels=6", "eta=0.5", "corrector_steps=1", "guidance=1.3", "temperature=0.9", "end=0.2"]),
];

#[test]
fn forecasters_are_trained_drawn_from_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let hidden = "model.hidden=[16]";
    for (preset, extra) in [
        ("denoising", &["--set", hidden, "--set", "model.context=4"][..]),
        ("temporal", &["--set", hidden]),
        ("igebm", &["--set", "model.hidden=[16,16]", "--set", "model.contrastive.steps=5"]),
        ("recovery", &["--set", hidden]),
    ] {
        let model = format!("{preset}.safetensors");
        succeeds(f, &[&["train", "log.csv", "-o", &model, "--preset", preset][..], &QUICK, extra].concat());
        golden(&format!("train_{preset}"), &telemetry(&f.join(format!("{preset}.telemetry.jsonl"))));
        let mut drawn = Record::new();
        for (name, options) in SAMPLERS.iter().filter(|(name, _)| preset != "igebm" || *name == "default") {
            let mut args = vec!["predict", &model, "log.csv", "--horizon", "10f", "--samples", "3", "--seed", "5"];
            args.extend(["--episode", "3", "--at", "2s", "-o", "forecast.json"]);
            options.iter().for_each(|option| args.extend([SAMPLER, option]));
            succeeds(f, &args);
            let places = [("samples", "/samples"), ("energies", "/energies"), ("truth", "/truth_energy")];
            let figures = pick(&f.join("forecast.json"), &places);
            drawn.extend(figures.into_iter().map(|(place, figures)| (format!("{name} {place}"), figures)));
        }
        golden(&format!("predict_{preset}"), &drawn);
    }
    let anomaly = ["anomaly", "denoising.safetensors", "log.csv", "--false-alarms", "0.1", "-o", "anomaly.json"];
    succeeds(f, &anomaly);
    golden("anomaly", &pick(&f.join("anomaly.json"), &[("windows", "/windows")]));
}

/// The option that changes a sampler.
const SAMPLER: &str = "--sampler";

/// All forecasters by all metrics; diffusion and flow matching draw by a sampler of their own.
#[test]
fn forecasters_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let train = ["train", "log.csv", "-o", "m.safetensors", "--set", "model.hidden=[16]", "--set", "model.context=4"];
    succeeds(f, &[&train[..], &QUICK].concat());
    let mut args = vec!["report", "m.safetensors", "log.csv", "--horizon", "10f", "--stride", "10", "--samples", "4"];
    args.extend(["--baselines", "all", "-o", "r"]);
    let changes: Vec<String> = ["flow", "diffusion", "mdn", "cvae"]
        .iter()
        .flat_map(|name| [format!("{name}.steps=30"), format!("{name}.hidden=[16]")])
        .chain(["gru_mdn.steps=10".into(), "gru_mdn.width=8".into(), "gru_mdn.future=4".into()])
        .chain(["diffusion.sampler.guidance=1.3".into(), "flow.sampler.guidance=1.2".into()])
        .chain(["analogue.segment=6".into(), "analogue.fade=2".into()])
        .collect();
    changes.iter().for_each(|change| args.extend(["--baseline-set", change]));
    succeeds(f, &args);
    let json: Value = serde_json::from_slice(&std::fs::read(f.join("r/report.json")).unwrap()).unwrap();
    let mut record = Record::new();
    for (forecaster, metrics) in json["forecasters"].as_object().unwrap() {
        for (metric, result) in metrics.as_object().unwrap() {
            let figures = record.entry(format!("{forecaster} {metric}")).or_default();
            numbers(&result["mean"], figures);
            numbers(&result["interval"], figures);
        }
    }
    record.retain(|_, figures| !figures.is_empty());
    golden_to("report", &record, REWRITTEN);
}

#[test]
fn images_are_learned_drawn_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    halves(&f.join("sets"));
    let quick =
        ["--set", "train.batch=8", "--set", "width=0.1", "--set", "validation=10", "--set", "train.log_every=2"];
    let mut drawn = Record::new();
    for (preset, more) in [
        ("denoising", &["--set", "train.steps=20"][..]),
        ("paper", &["--set", "train.steps=6", "--set", "learning.steps=3"]),
        ("energy_matching", &["--set", "train.steps=6", "--set", "learning.steps=3", "--set", "learning.warmup=3"]),
    ] {
        let train = ["image", "train", "--data", "sets", "--dataset", "mnist", "--preset", preset, "-o", preset];
        succeeds(f, &[&train[..], &quick, more].concat());
        golden(&format!("image_train_{preset}"), &telemetry(&f.join(preset).join("model.telemetry.jsonl")));
        let ways: &[(&str, &[&str])] = match preset {
            "denoising" => IMAGE_SAMPLERS,
            _ => &[("default", &[])],
        };
        let model = format!("{preset}/model.safetensors");
        for (name, options) in ways {
            let mut args = vec!["image", "generate", &model, "-o", "out", "--set", "count=4", "--overwrite"];
            args.extend(["--set", "sampler.levels=6"]);
            options.iter().for_each(|option| args.extend(["--set", option]));
            succeeds(f, &args);
            let images = Images::read(&f.join("out/generate.npz")).unwrap();
            drawn.insert(format!("{preset} {name}"), images.pixels().iter().map(|p| f64::from(*p)).collect());
        }
        for experiment in ["inpaint", "denoise"] {
            let mut args = vec!["image", experiment, &model, "--data", "sets", "-o", "out", "--set", "count=3"];
            args.extend(["--set", "samples=2", "--set", "sampler.levels=4", "--overwrite"]);
            succeeds(f, &args);
            let figures = pick(&f.join(format!("out/{experiment}.json")), &[("figures", "/figures")]);
            drawn.insert(format!("{preset} {experiment}"), figures["figures"].clone());
        }
    }
    golden_to("images", &drawn, REWRITTEN);
}

/// Ways to draw images from an energy with noise levels.
const IMAGE_SAMPLERS: &[(&str, &[&str])] = &[
    ("default", &[]),
    ("flow", &["sampler.eta=0"]),
    ("guided", &["sampler.guidance=2", "sampler.start=1.3", "sampler.end=0.1"]),
    ("corrected", &["sampler.corrector_steps=2", "sampler.corrector_size=0.2", "sampler.eta=0.5"]),
];

#[test]
fn energies_of_attributes_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    succeeds(f, &[&["image", "compose", "-o", "out"][..], COMPOSE].concat());
    let mut record = pick(&f.join("out/compose.json"), &[("figures", "/figures")]);
    record.retain(|_, figures| !figures.is_empty());
    golden_to("compose", &record, REWRITTEN);
}
