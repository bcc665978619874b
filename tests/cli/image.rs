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

/// One row an experiment: its name, what it needs to be quick here, and the files that it leaves beside its JSON.
const EXPERIMENTS: &[(&str, &[&str], &[&str])] = &[
    ("show", &["--dataset", "mnist", "--count", "4"], &["show.png"]),
    ("continual", &["--set", "hidden=8", "--set", "classes_per_task=1", "--set", "seeds=2"], &["continual.txt"]),
    ("compose", COMPOSE, &["compose.txt", "cross.png", "conjunction.png", "disjunction.png", "negation.png"]),
];

/// Experiments that make their images themselves.
const MADE: &[&str] = &["compose"];

const COMPOSE: &[&str] = &[
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
    "cross.walk.levels=4",
    "--set",
    "walk.levels=4",
];

#[test]
fn every_experiment_leaves_its_files_and_the_same_figures_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
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
        if !MADE.contains(name) {
            let missing = ["`train-images-idx3-ubyte`", "yann.lecun.com"];
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

/// An interrupted run leaves a file and a folder of networks: those that are done are not trained again.
#[test]
fn compose_goes_on_where_it_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let with = |more: &[&'static str]| [&["image", "compose"], COMPOSE, more].concat();
    succeeds(folder.path(), &with(&["-o", "whole"]));
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join(path)).unwrap()).unwrap()
    };
    let whole = read("whole/compose.json");
    assert_eq!(whole["figures"]["cross"]["rows"].as_array().unwrap().len(), 2);
    assert!(!folder.path().join("whole/compose.unfinished").exists());
    let kept = serde_json::json!({ "of": [whole["settings"], whole["data"][0]], "done": null });
    std::fs::create_dir(folder.path().join("rest")).unwrap();
    std::fs::write(folder.path().join("rest/compose.unfinished.json"), kept.to_string()).unwrap();
    refuses(folder.path(), &with(&["-o", "rest"]), &["--resume", "--overwrite"]);
    refuses(folder.path(), &with(&["-o", "rest", "--resume", "--set", "samples=3"]), &["other settings"]);
    succeeds(folder.path(), &with(&["-o", "rest", "--resume"]));
    assert_eq!(read("rest/compose.json")["figures"], whole["figures"]);
    assert!(!folder.path().join("rest/compose.unfinished.json").exists());
    refuses(folder.path(), &with(&["-o", "none", "--resume"]), &["no such file"]);
    refuses(folder.path(), &with(&["-o", "none", "--set", "cross.fractions=[0.5,0.1]"]), &["cross.fractions"]);
}
