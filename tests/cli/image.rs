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
const EXPERIMENTS: &[(&str, &[&str], &[&str])] = &[("show", &["--dataset", "mnist", "--count", "4"], &["show.png"])];

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
        refuses(folder.path(), &with(&["-o", "out"]), &["--data", "mnist"]);
        refuses(folder.path(), &with(&["-o", "out", "--data", "."]), &["`train-images-idx3-ubyte`", "yann.lecun.com"]);
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
