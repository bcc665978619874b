//! No output takes the place of a file that the same run reads.

use super::image::{halves, model};
use super::*;

/// Refused with both names, and every file of the folder is afterwards what it was before.
#[track_caller]
fn spares(folder: &Path, args: &[&str], file: &str) {
    let before = std::fs::read(folder.join(file)).unwrap();
    refuses(folder, args, &[file, "reads", "another file"]);
    assert_eq!(before, std::fs::read(folder.join(file)).unwrap(), "{args:?}");
}

#[test]
fn a_log_a_model_and_settings_stay() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let predict = ["predict", "m.safetensors", "log.csv", "--samples", "2", "--horizon", "4f", "-o"];
    let anomaly = ["anomaly", "m.safetensors", "log.csv", "--false-alarms", "0.1", "-o"];
    // By its own name, by another way to its folder, by links; the same log as one of a folder's.
    std::fs::create_dir(f.join("other")).unwrap();
    let mut names = vec!["log.csv", "./log.csv", "other/../log.csv"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("log.csv", f.join("soft.csv")).unwrap();
        std::fs::hard_link(f.join("log.csv"), f.join("hard.csv")).unwrap();
        names.extend(["soft.csv", "hard.csv"]);
    }
    for name in names {
        for verb in [&predict[..], &anomaly] {
            spares(f, &[verb, &[name]].concat(), "log.csv");
        }
    }
    std::fs::create_dir(f.join("logs")).unwrap();
    std::fs::copy(f.join("log.csv"), f.join("logs/day.csv")).unwrap();
    spares(f, &["anomaly", "m.safetensors", "logs", "-o", "logs/day.csv"], "logs/day.csv");
    spares(f, &["predict", "m.safetensors", "logs", "-o", "logs/day.csv"], "logs/day.csv");
    // What lies beside an input is no input.
    succeeds(f, &["predict", "m.safetensors", "logs/day.csv", "--horizon", "4f", "-o", "logs/forecast.json"]);

    let forecast = "logs/forecast.json";
    spares(f, &["view", forecast, "-o", forecast], forecast);
    // A model may have any name, one that ends in .csv too.
    std::fs::copy(f.join("m.safetensors"), f.join("model.csv")).unwrap();
    spares(f, &["predict", "model.csv", "log.csv", "-o", "model.csv"], "model.csv");
    spares(f, &["anomaly", "model.csv", "log.csv", "-o", "model.csv"], "model.csv");

    // `own.safetensors` would leave its settings in `own.config.toml`, which were edited by hand.
    std::fs::copy(f.join("m.config.toml"), f.join("own.config.toml")).unwrap();
    let train = ["train", "log.csv", "--config", "own.config.toml", "--overwrite", "-o"];
    spares(f, &[&train[..], &["own.safetensors"]].concat(), "own.config.toml");
    spares(f, &[&train[..], &["own.config.toml"]].concat(), "own.config.toml");
    spares(f, &[&train[..], &["log.csv"]].concat(), "log.csv");

    std::fs::create_dir(f.join("r")).unwrap();
    std::fs::copy(f.join("m.safetensors"), f.join("r/report.json")).unwrap();
    let report = ["report", "r/report.json", "log.csv", "--horizon", "10f", "--baselines", "none", "-o"];
    spares(f, &[&report[..], &["r"]].concat(), "r/report.json");
    succeeds(f, &[&report[..], &["s"]].concat());
}

#[test]
fn images_and_weights_stay() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    halves(&f.join("sets"));
    model(f);
    // Pictures called as the experiments call theirs, in a folder that is a set of images.
    succeeds(f, &["image", "show", "--data", "sets", "--dataset", "mnist", "-o", "own"]);
    std::fs::remove_file(f.join("own/show.json")).unwrap();
    std::fs::copy(f.join("own/show.png"), f.join("own/train.png")).unwrap();
    for name in ["show", "train"] {
        let picture = format!("own/{name}.png");
        spares(f, &["image", name, "--data", "own", "-o", "own"], &picture);
    }
    let drawn = ["image", "generate", "model.safetensors", "--set", "count=2", "--set", "sampler.levels=2"];
    succeeds(f, &[&drawn[..], &["-o", "own"]].concat());
    spares(f, &[&drawn[..], &["--data", "own/generate.npz", "-o", "own"]].concat(), "own/generate.npz");
    spares(f, &[&drawn[..], &["--rrd", "model.safetensors", "-o", "own"]].concat(), "model.safetensors");
    // Weights and settings under the name of a result.
    std::fs::copy(f.join("model.safetensors"), f.join("own/generate.json")).unwrap();
    let args = ["image", "generate", "own/generate.json", "--set", "count=2", "-o", "own"];
    spares(f, &args, "own/generate.json");
    for experiment in
        ["train", "classifier", "show", "inpaint", "denoise", "cross-class", "robust", "ood", "likelihood"]
    {
        let settings = format!("own/{experiment}.txt");
        std::fs::write(f.join(&settings), "").unwrap();
        let args = ["image", experiment, "--data", "sets", "--dataset", "mnist", "--config", &settings, "-o", "own"];
        let model: &[&str] = match experiment {
            "train" | "classifier" | "show" => &[],
            _ => &["model.safetensors"],
        };
        spares(f, &[&args[..], model].concat(), &settings);
    }
    for (experiment, settings, more) in
        [("compose", "own/compose.json", &[][..]), ("continual", "own/tuned.toml", &["--data", "sets", "--tune"])]
    {
        std::fs::write(f.join(settings), "").unwrap();
        spares(f, &[&["image", experiment, "--config", settings, "-o", "own"], more].concat(), settings);
    }
    for experiment in ["fid", "inception-score"] {
        let samples = format!("own/{experiment}.npz");
        std::fs::copy(f.join("own/generate.npz"), f.join(&samples)).unwrap();
        let args = ["image", experiment, "--data", "sets", "--dataset", "mnist", "--samples", &samples, "-o", "own"];
        spares(f, &[&args[..], &["--classifier", "model.safetensors"]].concat(), &samples);
    }
}
