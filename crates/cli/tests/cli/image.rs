//! `ebmotion image`: what every experiment has in common, and each of them on a small set.

use super::*;

/// A small set of 6 x 6 pictures of two classes, called like MNIST: a bright left or a bright right half, shifted in
/// brightness.
pub(crate) fn halves(folder: &Path) {
    for (part, count) in [("train", 60u32), ("t10k", 20)] {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for i in 0..count {
            let bright = |x: u32| (x < 3) == (i % 2 == 0);
            pixels.extend((0..36).map(|p| if bright(p % 6) { 200 + (i % 50) as u8 } else { (i % 7) as u8 }));
            labels.push((i % 2) as u8);
        }
        let idx = |sizes: &[u32], contents: &[u8]| {
            let mut bytes = vec![0, 0, 8, sizes.len() as u8];
            sizes.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
            bytes.extend_from_slice(contents);
            bytes
        };
        std::fs::create_dir_all(folder.join("mnist")).unwrap();
        std::fs::write(folder.join(format!("mnist/{part}-images-idx3-ubyte")), idx(&[count, 6, 6], &pixels)).unwrap();
        std::fs::write(folder.join(format!("mnist/{part}-labels-idx1-ubyte")), idx(&[count], &labels)).unwrap();
    }
}

/// A model of `halves`, trained for a moment: `model.safetensors` in the folder.
pub(crate) fn model(folder: &Path) {
    let quick = ["--set", "train.steps=20", "--set", "train.batch=8", "--set", "width=0.1", "--set", "validation=10"];
    let train = ["--quiet", "image", "train", "--data", "sets", "--dataset", "mnist", "-o", "trained"];
    succeeds(folder, &[&train[..], &quick].concat());
    std::fs::rename(folder.join("trained/model.safetensors"), folder.join("model.safetensors")).unwrap();
}

/// One row an experiment: its name, what it needs to be quick here, and the files that it leaves beside its JSON.
const EXPERIMENTS: &[(&str, &[&str], &[&str])] = &[
    (
        "train",
        &["--dataset", "mnist", "--set", "train.steps=6", "--set", "width=0.1", "--set", "validation=10"],
        &["train.png", "model.safetensors", "model.telemetry.jsonl"],
    ),
    (
        "generate",
        &["model.safetensors", "--dataset", "mnist", "--set", "count=4", "--set", "sampler.levels=5"],
        &["generate.png", "generate.npz", "film.png", "neighbours.png"],
    ),
    (
        "inpaint",
        &["model.safetensors", "--set", "count=4", "--set", "sampler.levels=4", "--set", "samples=2"],
        &["inpaint.png", "inpaint.txt"],
    ),
    (
        "denoise",
        &["model.safetensors", "--set", "count=4", "--set", "sampler.levels=3", "--set", "samples=2"],
        &["denoise.png", "denoise.txt"],
    ),
    ("cross-class", &["model.safetensors", "--set", "count=2", "--set", "sampler.levels=3"], &["cross-class.png"]),
    ("show", &["--dataset", "mnist", "--count", "4"], &["show.png"]),
    (
        "classifier",
        &["--set", "train.steps=40", "--set", "convolutions=[[4,3]]", "--set", "dense=8"],
        &["classifier.txt", "classifier.safetensors"],
    ),
    (
        "fid",
        &[
            "--dataset",
            "mnist",
            "--samples",
            "sets/mnist/t10k-images-idx3-ubyte",
            "--classifier",
            "one/classifier.safetensors",
        ],
        &["fid.txt"],
    ),
    (
        "inception-score",
        &[
            "--dataset",
            "mnist",
            "--samples",
            "sets/mnist/t10k-images-idx3-ubyte",
            "--classifier",
            "one/classifier.safetensors",
        ],
        &["inception-score.txt"],
    ),
    ("continual", &["--set", "hidden=8", "--set", "classes_per_task=1", "--set", "seeds=2"], &["continual.txt"]),
    ("ood", OOD, &["ood.txt", "ood.png", "pixel_cnn.safetensors", "real_nvp.safetensors"]),
    ("likelihood", LIKELIHOOD, &["likelihood.txt", "likelihood.png"]),
    ("compose", COMPOSE, &["compose.txt", "cross.png", "conjunction.png", "disjunction.png", "negation.png"]),
];

/// Experiments that make their images themselves.
const MADE: &[&str] = &["compose"];

/// What makes `compose` quick.
pub(crate) const COMPOSE: &[&str] = &[
    "--set",
    "side=16",
    "--set",
    "positions=4",
    "--set",
    "cross.fractions=[0.0,1.0]",
    "--set",
    "cross.size_energy.steps=20",
    "--set",
    "cross.size_energy.width=4",
    "--set",
    "cross.position_energy.steps=20",
    "--set",
    "cross.position_energy.width=4",
    "--set",
    "cross.baseline.steps=20",
    "--set",
    "cross.baseline.width=4",
    "--set",
    "attributes.steps=10",
    "--set",
    "attributes.width=4",
    "--set",
    "samples=2",
    "--set",
    "cross.sampler.levels=4",
    "--set",
    "sampler.levels=4",
];

/// What makes `ood` quick.
pub(crate) const OOD: &[&str] = &[
    "model.safetensors",
    "--set",
    "levels=[0.3,0.8]",
    "--set",
    "replicates=5",
    "--set",
    "validation=10",
    "--set",
    "pixel_cnn.steps=3",
    "--set",
    "pixel_cnn.network.width=4",
    "--set",
    "real_nvp.steps=3",
    "--set",
    "real_nvp.network.hidden=[8]",
];

/// What makes `likelihood` quick.
pub(crate) const LIKELIHOOD: &[&str] =
    &["model.safetensors", "--set", "levels=10", "--set", "chains=4", "--set", "mixing=2"];

#[test]
fn every_experiment_leaves_its_files_and_the_same_figures_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    model(folder.path());
    for (name, options, files) in EXPERIMENTS {
        let figures = |out: &str| {
            let common = ["--quiet", "image", name, "--data", "sets", "--seed", "3", "-o", out];
            let output = succeeds(folder.path(), &[&common[..], options].concat());
            assert_eq!(stderr(&output), "", "{name}");
            for file in *files {
                assert!(folder.path().join(out).join(file).is_file(), "{name} leaves no {file}");
            }
            let text = std::fs::read_to_string(folder.path().join(out).join(format!("{name}.json"))).unwrap();
            let record: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(record["format"], format!("ebmotion image {name} 1"));
            assert_eq!(record["settings"]["seed"], 3);
            assert_eq!(record["data"][0]["fingerprint"].as_str().unwrap().len(), 64);
            let mut figures = record["figures"].clone();
            figures.as_object_mut().map(|f| f.remove("train_seconds"));
            figures
        };
        assert_eq!(figures("one"), figures("two"), "{name}");
    }
}

#[test]
fn every_experiment_says_what_is_missing_and_prints_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    model(folder.path());
    std::fs::remove_dir_all(folder.path().join("sets")).unwrap();
    for (name, options, _) in EXPERIMENTS {
        let with = |more: &[&'static str]| [&["image", name], *options, more].concat();
        if !MADE.contains(name) {
            let missing = ["-images-idx3-ubyte`", "yann.lecun.com"];
            refuses(folder.path(), &with(&["-o", "out"]), &["--data", "mnist"]);
            refuses(folder.path(), &with(&["-o", "out", "--data", "."]), &missing);
        }
        refuses(folder.path(), &with(&["-o", "out", "--data", ".", "--set", "sead=1"]), &["sead", "seed"]);
        let printed = succeeds(folder.path(), &with(&["--print-config", "--seed", "11"]));
        let text = String::from_utf8(printed.stdout).unwrap();
        assert!(text.contains("seed = 11"), "{text}");
        std::fs::write(folder.path().join("run.toml"), &text).unwrap();
        let again = succeeds(folder.path(), &with(&["--print-config", "--config", "run.toml"]));
        assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
    }
}

#[test]
fn an_image_model_is_guarded_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    model(folder.path());
    let train = |more: &[&'static str]| {
        let quick = ["--set", "train.steps=4", "--set", "width=0.1", "--set", "validation=10"];
        let words = ["image", "train", "--data", "sets", "--dataset", "mnist", "-o", "out"];
        [&words[..], &quick, more].concat()
    };
    succeeds(folder.path(), &train(&[]));
    refuses(folder.path(), &train(&[]), &["model.safetensors", "--overwrite"]);
    refuses(folder.path(), &train(&["--resume"]), &["model.checkpoint", "no checkpoint"]);
    succeeds(folder.path(), &train(&["--overwrite", "--set", "classes=[1]", "--set", "train.batch=8"]));
    let generate = |model: &'static str, more: &[&'static str]| {
        [&["image", "generate", model, "-o", "drawn", "--set", "sampler.levels=3", "--set", "count=3"][..], more]
            .concat()
    };
    succeeds(folder.path(), &generate("out/model.safetensors", &[]));
    refuses(folder.path(), &generate("out/model.safetensors", &["--set", "classes=[0]"]), &["class", "[1]"]);
    refuses(folder.path(), &generate("out/model.safetensors", &["--set", "sampler.end=2"]), &["sampler.end", "pi / 2"]);
    let no_model = ["image", "generate", "drawn/generate.npz", "-o", "other"];
    refuses(folder.path(), &no_model, &["generate.npz", "safetensors"]);
    let cross = ["image", "cross-class", "model.safetensors", "--data", "sets", "-o", "out", "--set", "start=2"];
    refuses(folder.path(), &cross, &["start", "pi / 2"]);
    refuses(folder.path(), &train(&["--overwrite", "--set", "validation=60"]), &["validation", "59"]);
    // What was drawn is a set like any other.
    succeeds(folder.path(), &["image", "show", "--data", "drawn/generate.npz", "-o", "shown"]);
}

#[test]
fn a_damaged_set_is_refused_although_another_folder_has_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("whole"));
    let show =
        |first: &'static str| ["image", "show", "--dataset", "mnist", "--data", first, "--data", "whole", "-o", "out"];
    succeeds(folder.path(), &show("."));
    std::fs::create_dir(folder.path().join("damaged")).unwrap();
    std::fs::write(folder.path().join("damaged/train-images-idx3-ubyte"), b"oops").unwrap();
    refuses(folder.path(), &show("damaged"), &["damaged/train-images-idx3-ubyte, byte 0", "[111, 111, 112, 115]"]);
}

#[test]
fn continual_goes_on_where_it_was_interrupted_and_tunes_without_the_test_set() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    let small = ["image", "continual", "--data", "sets", "--set", "hidden=8", "--set", "classes_per_task=1"];
    let with = |more: &[&'static str]| [&small[..], more].concat();
    succeeds(folder.path(), &with(&["--set", "seeds=1", "-o", "whole"]));
    // An unfinished run as an interruption leaves it: one of the methods is done.
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join(path)).unwrap()).unwrap()
    };
    let whole = read("whole/continual.json");
    let unfinished = folder.path().join("rest/continual.unfinished");
    std::fs::create_dir_all(&unfinished).unwrap();
    let (of, done) = (serde_json::json!([whole["settings"], whole["data"]]), &whole["figures"]["runs"][3]);
    std::fs::write(unfinished.join("run.json"), of.to_string()).unwrap();
    let name = format!("{}_0.json", done["method"].as_str().unwrap());
    std::fs::write(unfinished.join(name), done.to_string()).unwrap();
    refuses(folder.path(), &with(&["--set", "seeds=1", "-o", "rest"]), &["--resume", "--overwrite"]);
    refuses(folder.path(), &with(&["--set", "seeds=2", "-o", "rest", "--resume"]), &["other settings"]);
    succeeds(folder.path(), &with(&["--set", "seeds=1", "-o", "rest", "--resume"]));
    assert_eq!(read("rest/continual.json")["figures"], whole["figures"]);
    assert!(!unfinished.exists());

    std::fs::remove_file(folder.path().join("sets/mnist/t10k-images-idx3-ubyte")).unwrap();
    let of_ebm = ["--set", "methods=[\"ebm\"]", "--set", "validation=20"];
    succeeds(folder.path(), &with(&[&of_ebm[..], &["-o", "tuned", "--tune"]].concat()));
    assert_eq!(read("tuned/tune.json")["figures"].as_array().unwrap().len(), 18);
    let printed = succeeds(folder.path(), &["image", "continual", "--config", "tuned/tuned.toml", "--print-config"]);
    assert!(String::from_utf8(printed.stdout).unwrap().contains("validation = 20"));
    refuses(folder.path(), &with(&["--set", "validation=60", "-o", "tuned", "--tune"]), &["validation", "1 to 59"]);
}

#[test]
fn drawn_images_are_measured_and_the_energy_is_attacked_beside_a_classifier() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    let image = |args: &[&str]| succeeds(folder.path(), &[&["--quiet", "image"], args].concat());
    let energy = ["train", "--data", "sets", "--dataset", "mnist", "-o", "energy", "--set", "width=0.125"];
    let brief = ["--set", "train.steps=4", "--set", "train.batch=8", "--set", "validation=4"];
    image(&[&energy[..], &brief].concat());
    image(&["generate", "energy/model.safetensors", "--set", "count=12", "--set", "sampler.levels=3", "-o", "drawn"]);
    image(&["classifier", "--data", "sets", "--adversarial", "0.1", "--set", "train.steps=20", "-o", "classifier"]);
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join(path)).unwrap()).unwrap()
    };
    let both = ["--data", "sets", "--dataset", "mnist", "--samples", "drawn/generate.npz", "-o", "out"];
    for (name, of) in [("fid", "Fréchet distance of classifier features"), ("inception-score", "classifier score")] {
        image(&[&[name, "--classifier", "classifier/classifier.safetensors"], &both[..]].concat());
        assert_eq!(read(&format!("out/{name}.json"))["figures"]["name"], of);
        let wrong = [&["image", name, "--inception", "classifier/classifier.safetensors"], &both[..]].concat();
        refuses(folder.path(), &wrong, &["`fc.weight`", "Inception-v3"]);
        let wrong = [&["image", name, "--classifier", "energy/model.safetensors"], &both[..]].concat();
        refuses(folder.path(), &wrong, &["model.safetensors", "image classifier"]);
    }

    let attacked =
        ["energy/model.safetensors", "--data", "sets", "-o", "robust", "--set", "images=6", "--set", "steps=2"];
    let radii = ["--set", "linf=[0.0,0.1,0.3]", "--set", "l2=[0.0,1.0]", "--set", "calibration=10"];
    let beside = ["--adversarial", "classifier/classifier.safetensors"];
    image(&[&["robust"], &attacked[..], &radii, &beside].concat());
    for file in ["robust.txt", "robust_linf.svg", "robust_l2.svg"] {
        assert!(folder.path().join("robust").join(file).is_file(), "{file}");
    }
    let figures = read("robust/robust.json")["figures"].clone();
    // The energy, the same after purification, the classifier; for two norms.
    assert_eq!(figures["curves"].as_array().unwrap().len(), 6);
    for curve in figures["curves"].as_array().unwrap() {
        let shares: Vec<f64> = curve["accuracy"].as_array().unwrap().iter().map(|a| a.as_f64().unwrap()).collect();
        let purified = curve["name"].as_str().unwrap().contains("purification");
        assert!(purified || shares.windows(2).all(|pair| pair[0] >= pair[1]), "{curve}");
        if curve["name"] == "adversarial classifier" {
            assert_eq!(shares[0], 1.0);
        }
    }
    let with = |more: &[&'static str]| [&["image", "robust"], &attacked[..], more].concat();
    refuses(folder.path(), &with(&["--set", "linf=[0.3,0.1]"]), &["linf", "rising"]);
    refuses(folder.path(), &with(&["--set", "levels=[2.0]"]), &["levels", "pi / 2"]);
}
