//! `report` beyond its defaults: validation episodes, several seeds, other models beside, baselines' settings.

use super::*;

/// The `report.json` of a report with `arguments` into a folder of its own.
fn report(f: &Path, arguments: &[&str]) -> serde_json::Value {
    let given = [&["report", "m.safetensors", "log.csv", "--horizon", "16f", "--stride", "8", "-o", "r"], arguments];
    succeeds(f, &given.concat());
    let json = reported(&f.join("r"));
    std::fs::remove_dir_all(f.join("r")).unwrap();
    json
}

#[test]
fn settings_are_chosen_on_validation_episodes() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let test = report(f, &["--baselines", "hold"]);
    let validation = report(f, &["--baselines", "hold", "--on", "validation"]);
    let notes = |json: &serde_json::Value| json["protocol"]["notes"].to_string();
    assert!(notes(&validation).contains("validation episodes") && !notes(&test).contains("validation episodes"));
    // Episodes of validation and test differ, and so does what a forecaster without chance scores on them.
    let hold = |json: &serde_json::Value| json["forecasters"]["hold"]["rmse"]["mean"].as_f64().unwrap();
    assert_ne!(hold(&test), hold(&validation));
}

#[test]
fn several_seeds_become_one_figure() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let few = ["--baselines", "hold,mdn", "--baseline-set", "mdn.steps=60", "--baseline-set", "mdn.hidden=[16]"];
    let one = report(f, &few);
    let two = report(f, &[&few[..], &["--seeds", "2"]].concat());
    let of = |json: &serde_json::Value, name: &str| json["forecasters"][name]["energy_score"].clone();
    for name in ["ebm", "mdn"] {
        let by_seed: Vec<f64> =
            of(&two, name)["by_seed"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert_eq!(by_seed.len(), 2, "{name}");
        assert_ne!(by_seed[0], by_seed[1], "{name}: another seed is another training");
        let mean = of(&two, name)["mean"].as_f64().unwrap();
        assert!((mean - (by_seed[0] + by_seed[1]) / 2.0).abs() < 1e-12, "{name}");
    }
    // The first run of each is that of the report with one, whatever stands before it: noise goes by name.
    for name in ["ebm", "mdn"] {
        assert_eq!(of(&two, name)["by_seed"][0], of(&one, name)["mean"], "{name}");
    }
    assert!(of(&two, "hold")["by_seed"].is_null(), "nothing is trained");
    assert_eq!(one["cost"]["mdn"]["evaluations_per_chunk"], 1);
    let gain = &two["comparisons"]["hold"]["energy_score"];
    let sign = gain["gain_percent"].as_f64().unwrap();
    let expected =
        100.0 * (1.0 - of(&two, "ebm")["mean"].as_f64().unwrap() / of(&two, "hold")["mean"].as_f64().unwrap());
    assert!((sign - expected).abs() < 1e-9, "{gain}");
}

#[test]
fn another_model_stands_beside_under_its_files_name() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    std::fs::copy(f.join("m.safetensors"), f.join("twin.safetensors")).unwrap();
    let json = report(f, &["--baselines", "none", "--beside", "twin.safetensors"]);
    let score = |name: &str| json["forecasters"][name]["energy_score"]["mean"].as_f64().unwrap();
    // The same weights; forecasts differ by their noise only.
    assert!((score("ebm") / score("twin") - 1.0).abs() < 0.1, "{} {}", score("ebm"), score("twin"));
    std::fs::copy(f.join("m.safetensors"), f.join("hold.safetensors")).unwrap();
    let bad = |extra: &[&str], parts: &[&str]| {
        refuses(f, &[&["report", "m.safetensors", "log.csv", "-o", "r", "--horizon", "16f"], extra].concat(), parts);
    };
    bad(&["--beside", "hold.safetensors"], &["--beside", "hold"]);
    let twice = ["--beside", "twin.safetensors", "--beside", "twin.safetensors"];
    bad(&twice, &["--beside", "two files named `twin`"]);
    bad(&["--baselines", "flow", "--baseline-set", "flow.head.components=3"], &["components", "weighting"]);
    bad(&["--baselines", "var", "--baseline-set", "flow.latent=3"], &["--baseline-set", "flow.latent"]);
    bad(&["--baselines", "flaw"], &["flaw", "flow"]);
    bad(&["--seeds", "0"], &["--seeds", "at least 1"]);
    let long = ["report", "m.safetensors", "log.csv", "-o", "r", "--horizon", "100f", "--seeds", "9"];
    refuses(f, &long, &["80", "100 future frames"]);
}
