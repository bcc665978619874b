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

/// A model of the small set's first class, as an experiment's own folder holds it.
const MODEL: &str = "model/model.safetensors";

/// Trains [`MODEL`] on [`halves`] in `sets`.
pub(crate) fn small_model(folder: &Path) {
    let quick = ["--set", "train.steps=30", "--set", "train.batch=8", "--set", "validation=10", "--set", "width=0.125"];
    let what =
        ["--quiet", "image", "train", "--data", "sets", "--dataset", "mnist", "--set", "classes=[0]", "-o", "model"];
    succeeds(folder, &[&what[..], &quick].concat());
}

/// One row an experiment: its name, what it needs to be quick here, and the files that it leaves beside its JSON.
const EXPERIMENTS: &[(&str, &[&str], &[&str])] = &[
    ("show", &["--dataset", "mnist", "--count", "4"], &["show.png"]),
    ("continual", &["--set", "hidden=8", "--set", "classes_per_task=1", "--set", "seeds=2"], &["continual.txt"]),
    ("ood", OOD, &["ood.txt", "ood.png", "pixel_cnn.safetensors", "real_nvp.safetensors"]),
    ("likelihood", LIKELIHOOD, &["likelihood.txt", "likelihood.png"]),
];

const OOD: &[&str] = &[
    MODEL,
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

const LIKELIHOOD: &[&str] = &[MODEL, "--set", "levels=10", "--set", "chains=4", "--set", "mixing=2"];

#[test]
fn every_experiment_leaves_its_files_and_the_same_figures_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    small_model(folder.path());
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
            record["figures"].clone()
        };
        assert_eq!(figures("one"), figures("two"), "{name}");
    }
}

#[test]
fn every_experiment_says_what_is_missing_and_prints_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    for (name, options, _) in EXPERIMENTS {
        let with = |more: &[&'static str]| [&["image", name], *options, more].concat();
        refuses(folder.path(), &with(&["-o", "out"]), &["--data", "mnist"]);
        refuses(folder.path(), &with(&["-o", "out", "--data", "."]), &["-images-idx3-ubyte`", "yann.lecun.com"]);
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
    let kept = serde_json::json!({
        "of": [whole["settings"], whole["data"]],
        "done": [whole["figures"]["runs"][3]],
    });
    std::fs::create_dir(folder.path().join("rest")).unwrap();
    let unfinished = folder.path().join("rest/continual.unfinished.json");
    std::fs::write(&unfinished, kept.to_string()).unwrap();
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
fn ood_tells_sets_apart_goes_on_and_keeps_its_baselines() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    small_model(folder.path());
    // Another set, of other size and with labels: the first known one that is not the model's.
    halves(&folder.path().join("more"));
    std::fs::rename(folder.path().join("more/mnist"), folder.path().join("sets/fashion_mnist")).unwrap();
    let ood = |more: &[&'static str]| [&["image", "ood", "--data", "sets", "-o", "out"][..], OOD, more].concat();
    succeeds(folder.path(), &ood(&[]));
    let read = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/ood.json")).unwrap()).unwrap()
    };
    let record = read();
    let names = |of: &serde_json::Value| of.as_array().unwrap().iter().map(|s| s["name"].clone()).collect::<Vec<_>>();
    let sets = ["mnist test", "other classes", "fashion_mnist test", "constant", "uniform noise", "interpolations"];
    assert_eq!(names(&record["figures"]["sets"]), sets);
    let rows = record["figures"]["rows"].as_array().unwrap();
    let scores: Vec<_> = rows.iter().map(|r| r["score"].as_str().unwrap()).collect();
    assert_eq!(scores, ["energy", "energy_of_classes", "energy", "pixel_cnn", "real_nvp"]);
    for row in rows {
        assert_eq!(row["told"].as_array().unwrap().len(), sets.len() - 1);
        assert!(row["told"].as_array().unwrap().iter().all(|t| (0.0..=1.0).contains(&t["auroc"].as_f64().unwrap())));
        assert_eq!(row["bits_per_dimension"].is_array(), row["at"].is_null());
    }
    let levels: Vec<_> = record["figures"]["trials"].as_array().unwrap().iter().map(|t| t["at"].as_f64()).collect();
    assert_eq!(levels, [Some(0.3), Some(0.8)]);
    // The baselines are taken from their files: the same figures, from files that are not written again.
    let written = std::fs::metadata(folder.path().join("out/real_nvp.safetensors")).unwrap().modified().unwrap();
    succeeds(folder.path(), &ood(&[]));
    assert_eq!(read()["figures"], record["figures"]);
    let now = std::fs::metadata(folder.path().join("out/real_nvp.safetensors")).unwrap().modified().unwrap();
    assert_eq!(now, written);
    std::fs::write(folder.path().join("out/pixel_cnn.checkpoint"), "unfinished").unwrap();
    refuses(folder.path(), &ood(&[]), &["pixel_cnn.checkpoint", "--resume", "--overwrite"]);
    refuses(folder.path(), &ood(&["--overwrite", "--set", "levels=[2]"]), &["levels", "pi / 2"]);
    refuses(folder.path(), &ood(&["--overwrite", "--dataset", "omniglot"]), &["omniglot"]);
}

#[test]
fn likelihood_is_bounded_from_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    small_model(folder.path());
    let args = ["--quiet", "image", "likelihood", "--data", "sets", "-o", "out"];
    succeeds(folder.path(), &[&args[..], LIKELIHOOD, &["--set", "levels=200", "--set", "chains=50"]].concat());
    let text = std::fs::read_to_string(folder.path().join("out/likelihood.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let gaussian = &record["figures"]["constants"][0];
    let number = |of: &serde_json::Value| of.as_f64().unwrap();
    let (lower, upper) = (number(&gaussian["lower"]["mean"]), number(&gaussian["upper"]["mean"]));
    assert!(lower < number(&gaussian["truth"]) && number(&gaussian["truth"]) < upper && upper - lower < 5.0, "{text}");
    let nats = &record["figures"]["likelihood"]["nats"];
    let bits = &record["figures"]["likelihood"]["bits_per_dimension"];
    // One grey level against one standard deviation: the same density in other units, 36 numbers an image.
    assert!(number(&nats[0]) <= number(&nats[1]) + 3.0, "{text}");
    let slope = (number(&bits[0]) - number(&bits[1])) / (number(&nats[1]) - number(&nats[0]));
    assert!((slope * 36.0 * std::f64::consts::LN_2 + 1.0).abs() < 1e-6, "{text}");
}
