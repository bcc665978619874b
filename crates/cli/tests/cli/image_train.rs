//! `ebmotion image train`: its ways of learning, and what is done with what they leave.

use super::image::{halves, model};
use super::*;

/// The paper's recipe and the improved one: an energy without levels, and chains that walk by the weights of before in
/// turn.
#[test]
fn contrastive_energies_of_images_are_learned_and_drawn_from() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    for (preset, chains) in [("paper", "learning.steps=3"), ("improved", "learning.contrastive.steps=3")] {
        let words =
            ["--quiet", "image", "train", "--data", "sets", "--dataset", "mnist", "-o", preset, "--preset", preset];
        let quick =
            ["--set", "train.steps=6", "--set", "train.batch=8", "--set", "width=0.1", "--set", "validation=10"];
        let history = ["--set", "history.count=2", "--set", "history.every=2", "--set", chains];
        succeeds(folder.path(), &[&words[..], &quick, &history].concat());
        let model = format!("{preset}/model.safetensors");
        let generate = |more: &[&str]| {
            let out = format!("{preset}/drawn");
            let words =
                ["--quiet", "image", "generate", &model, "-o", &out, "--set", "count=4", "--set", "sampler.levels=6"];
            succeeds(folder.path(), &[&words[..], more].concat());
            std::fs::read(folder.path().join(out).join("generate.npz")).unwrap()
        };
        let (alone, together) = (generate(&[]), generate(&["--set", "ensemble=true"]));
        assert_ne!(alone, together, "{preset}: the weights of before have a part in it");
        assert_eq!(together, generate(&["--set", "ensemble=true"]), "{preset}");
    }
    let none = ["image", "generate", "model.safetensors", "-o", "drawn", "--set", "ensemble=true"];
    model(folder.path());
    refuses(folder.path(), &none, &["ensemble", "history.count"]);
}

/// Recovery likelihood and energy matching: whatever walks in the default's energy walks in theirs.
#[test]
fn energies_learned_otherwise_are_drawn_from_and_mend() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    let presets: [(&str, &[&str]); 2] = [
        ("recovery", &["--set", "learning.steps=3"]),
        ("energy_matching", &["--set", "learning.steps=3", "--set", "learning.warmup=3"]),
    ];
    for (preset, chains) in presets {
        let words = ["image", "train", "--data", "sets", "--dataset", "mnist", "-o", preset, "--preset", preset];
        let quick =
            ["--set", "train.steps=6", "--set", "train.batch=8", "--set", "width=0.1", "--set", "validation=10"];
        succeeds(folder.path(), &[&words[..], &quick, chains, &["--set", "augment.shift=1"]].concat());
        let model = format!("{preset}/model.safetensors");
        for (experiment, more) in [
            ("generate", &["--dataset", "mnist", "--set", "count=4"][..]),
            ("inpaint", &["--set", "count=2", "--set", "samples=1"]),
            ("denoise", &["--set", "count=2", "--set", "samples=1"]),
            ("cross-class", &["--set", "count=2"]),
        ] {
            let out = format!("{preset}/{experiment}");
            let words = ["image", experiment, &model, "--data", "sets", "-o", &out, "--set", "sampler.levels=4"];
            succeeds(folder.path(), &[&words[..], more].concat());
            assert!(folder.path().join(&out).join(format!("{experiment}.png")).is_file(), "{preset} {experiment}");
        }
    }
    let train = ["image", "train", "--data", "sets", "--dataset", "mnist", "-o", "out", "--set", "augment.turn=1"];
    refuses(folder.path(), &train, &["augment.turn", "shift", "flip"]);
}
