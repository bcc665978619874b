//! `ebmotion image ood` and `ebmotion image likelihood`: what their tables must hold.

use super::image::{LIKELIHOOD, OOD, halves};
use super::*;

/// A model of the first class of [`halves`], as `model.safetensors`.
fn model_of_one_class(folder: &Path) {
    let quick = ["--set", "train.steps=30", "--set", "train.batch=8", "--set", "validation=10", "--set", "width=0.125"];
    let what =
        ["--quiet", "image", "train", "--data", "sets", "--dataset", "mnist", "--set", "classes=[0]", "-o", "one"];
    succeeds(folder, &[&what[..], &quick].concat());
    std::fs::rename(folder.join("one/model.safetensors"), folder.join("model.safetensors")).unwrap();
}

#[test]
fn ood_tells_sets_apart_goes_on_and_keeps_its_baselines() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    model_of_one_class(folder.path());
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
    assert_eq!(scores, ["energy", "energies_of_all_levels", "energy_of_classes", "energy", "pixel_cnn", "real_nvp"]);
    for row in rows {
        assert_eq!(row["told"].as_array().unwrap().len(), sets.len() - 1);
        assert!(row["told"].as_array().unwrap().iter().all(|t| (0.0..=1.0).contains(&t["auroc"].as_f64().unwrap())));
        let likelihood = ["pixel_cnn", "real_nvp"].contains(&row["score"].as_str().unwrap());
        assert_eq!(row["bits_per_dimension"].is_array(), likelihood);
        assert_eq!(row["at"].is_number(), row["score"] == "energy" || row["score"] == "energy_of_classes");
    }
    let levels: Vec<_> = record["figures"]["trials"].as_array().unwrap().iter().map(|t| t["at"].as_f64()).collect();
    assert_eq!(levels, [Some(0.3), Some(0.8)]);
    // The baselines are taken from their files: the same figures, from files that are not written again.
    let written = std::fs::metadata(folder.path().join("out/real_nvp.safetensors")).unwrap().modified().unwrap();
    succeeds(folder.path(), &ood(&[]));
    assert_eq!(read()["figures"], record["figures"]);
    let now = std::fs::metadata(folder.path().join("out/real_nvp.safetensors")).unwrap().modified().unwrap();
    assert_eq!(now, written);
    std::fs::create_dir(folder.path().join("out/ood.unfinished")).unwrap();
    for file in ["run.json", "pixel_cnn.checkpoint"] {
        std::fs::write(folder.path().join("out/ood.unfinished").join(file), "{}").unwrap();
    }
    refuses(folder.path(), &ood(&[]), &["ood.unfinished", "--resume", "--overwrite"]);
    refuses(folder.path(), &ood(&["--resume"]), &["other settings"]);
    refuses(folder.path(), &ood(&["--overwrite", "--set", "levels=[2]"]), &["levels", "pi / 2"]);
    refuses(folder.path(), &ood(&["--overwrite", "--dataset", "omniglot"]), &["omniglot"]);
}

#[test]
fn likelihood_is_bounded_from_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    model_of_one_class(folder.path());
    let args = ["--quiet", "image", "likelihood", "--data", "sets", "-o", "out"];
    succeeds(folder.path(), &[&args[..], LIKELIHOOD, &["--set", "levels=200", "--set", "chains=50"]].concat());
    let text = std::fs::read_to_string(folder.path().join("out/likelihood.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let gaussian = &record["figures"]["constants"][0];
    let number = |of: &serde_json::Value| of.as_f64().unwrap();
    let (lower, upper) = (number(&gaussian["lower"]["mean"]), number(&gaussian["upper"]["mean"]));
    assert!(lower < number(&gaussian["truth"]) && number(&gaussian["truth"]) < upper && upper - lower < 10.0, "{text}");
    let nats = &record["figures"]["likelihood"]["nats"];
    let bits = &record["figures"]["likelihood"]["bits_per_dimension"];
    // One grey level against one standard deviation: the same density in other units, 36 numbers an image.
    assert!(number(&nats[0]) <= number(&nats[1]) + 3.0, "{text}");
    let slope = (number(&bits[0]) - number(&bits[1])) / (number(&nats[1]) - number(&nats[0]));
    assert!((slope * 36.0 * std::f64::consts::LN_2 + 1.0).abs() < 1e-6, "{text}");
}
