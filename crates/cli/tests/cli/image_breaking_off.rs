//! Experiments on images that Ctrl-C breaks off: what is done is kept, and the same command alone goes on from there,
//! to the same files.
#![cfg(unix)]

use super::image::{COMPOSE, halves, model};
use super::*;

/// Runs an experiment whole into `whole`, then into `rest`, where it is broken off once `piece` is there, and goes on.
fn breaks_off(folder: &Path, experiment: &[&'static str], piece: &str, other: [&'static str; 2], files: &[&str]) {
    let with = |more: &[&'static str]| [&["image"], experiment, more].concat();
    succeeds(folder, &with(&["-o", "whole"]));
    let unfinished = folder.join(format!("rest/{}.unfinished", experiment[0]));
    let mut command = ebmotion(folder);
    let child = command.args(with(&["-o", "rest"])).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !unfinished.join(piece).exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is kept after a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("--resume") && text.contains(".unfinished"), "{text}");
    assert!(!folder.join(format!("rest/{}.json", experiment[0])).exists(), "the run was to be broken off");
    refuses(folder, &with(&["-o", "rest"]), &["--resume", "--overwrite"]);
    refuses(folder, &with(&["-o", "rest", "--resume", other[0], other[1]]), &["other settings"]);
    succeeds(folder, &with(&["-o", "rest", "--resume"]));
    for file in files {
        let [rest, whole] = ["rest", "whole"].map(|out| std::fs::read(folder.join(out).join(file)).unwrap());
        assert!(rest == whole, "{file}");
    }
    assert!(!unfinished.exists() && !folder.join(format!("whole/{}.unfinished", experiment[0])).exists());
    refuses(folder, &with(&["-o", "rest", "--resume"]), &["unfinished", "nothing", "--resume"]);
    // What fails before anything is done leaves nothing that would have to be overwritten.
    refuses(folder, &with(&["-o", "rest", "--set", "sampler.levels=0"]), &["levels"]);
    assert!(!unfinished.exists());
}

#[test]
fn generate_goes_on_where_it_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    halves(&folder.path().join("sets"));
    model(folder.path());
    let experiment = ["generate", "model.safetensors", "--set", "count=4000"];
    let files = ["generate.png", "generate.npz", "film.png"];
    breaks_off(folder.path(), &experiment, "tile_0.safetensors", ["--seed", "1"], &files);
}

/// Its pieces are networks: those that are done are not trained again.
#[test]
fn compose_goes_on_where_it_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["compose.txt", "cross.png", "conjunction.png", "negation.png"];
    let experiment = [&["compose"], COMPOSE].concat();
    breaks_off(folder.path(), &experiment, "size_at_0_%.checkpoint", ["--set", "samples=3"], &files);
    let refused = [&["image"], &experiment[..], &["-o", "none", "--set", "cross.fractions=[0.5,0.1]"]].concat();
    refuses(folder.path(), &refused, &["cross.fractions"]);
}
