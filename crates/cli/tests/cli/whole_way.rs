//! What a user does when all is well.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "the way from top to bottom")]
fn the_whole_way_on_a_users_own_log() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    for name in ["m.safetensors", "m.config.toml", "m.telemetry.jsonl"] {
        assert!(f.join(name).exists(), "{name}");
    }
    assert!(!f.join("m.checkpoint").exists(), "a run that ended needs no checkpoint");
    let telemetry = std::fs::read_to_string(f.join("m.telemetry.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(telemetry.lines().last().unwrap()).unwrap();
    assert_eq!(last["step"], 60);
    assert!(last["validation"].is_f64() && last["gradient_norm"].is_f64(), "{last}");
    // The settings as resolved give the same run again.
    let again = ["train", "log.csv", "-o", "n.safetensors", "--config", "m.config.toml"];
    succeeds(f, &again);
    assert_eq!(weights(&f.join("m.safetensors")), weights(&f.join("n.safetensors")));

    let predict = ["predict", "m.safetensors", "log.csv", "--horizon", "0.5s", "--samples", "6"];
    let with = |extra: &[&'static str]| -> Vec<&'static str> { predict.iter().chain(extra).copied().collect() };
    succeeds(f, &with(&["--seed", "7", "-o", "a.csv"]));
    succeeds(f, &with(&["--seed", "7", "-o", "b.csv"]));
    succeeds(f, &with(&["--seed", "8", "-o", "c.csv"]));
    let read = |name: &str| std::fs::read_to_string(f.join(name)).unwrap();
    assert_eq!(read("a.csv"), read("b.csv"), "the same seed");
    assert_ne!(read("a.csv"), read("c.csv"), "another seed");
    let csv = read("a.csv");
    assert_eq!(csv.lines().next().unwrap(), "sample,step,time [s],ahead [s],energy [nats],q_a [rad],q_b [rad]");
    assert_eq!(csv.lines().count(), 1 + 6 * 10);

    succeeds(f, &with(&["--at", "2s", "--episode", "3", "-o", "a.json"]));
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    assert_eq!(json["samples"].as_array().unwrap().len(), 6);
    assert_eq!(json["truth"].as_array().unwrap().len(), 10, "the log goes on after second 2");
    assert_eq!(json["truth_energy"].as_array().unwrap().len(), 10);
    assert_eq!(json["history"].as_array().unwrap().len(), 4);

    let report = succeeds(f, &["report", "m.safetensors", "log.csv", "--horizon", "1s", "--stride", "10", "-o", "r"]);
    let table = String::from_utf8(report.stdout).unwrap();
    let json = reported(&f.join("r"));
    for name in ["ebm", "hold", "velocity", "var", "var_sampled", "fc"] {
        assert!(table.contains(name), "{table}");
        for metric in [
            "frechet_position",
            "frechet_velocity",
            "frechet_window",
            "segment_energy_distance",
            "energy_score",
            "ade_best20",
            "fde_best20",
            "rmse",
        ] {
            let result = &json["forecasters"][name][metric];
            assert!(result["mean"].is_f64(), "{name} {metric}");
            assert_eq!(result["per_step"].as_array().unwrap().len(), 20, "{name} {metric}");
            assert_eq!(result["interval"].as_array().unwrap().len(), 2, "{name} {metric}");
        }
        for key in ["train_seconds", "parameters", "evaluations_per_chunk", "ms_per_window"] {
            assert!(json["cost"][name][key].is_number(), "{name} {key}");
        }
    }
    assert!(json["floor"]["frechet_window"]["mean"].is_f64());
    for key in ["episodes", "windows", "context", "horizon", "samples", "seeds", "data"] {
        assert!(!json["protocol"][key].is_null(), "{key}");
    }
    for name in ["r/report.md", "r/report.html", "r/plots/energy_score.svg", "r/plots/forecast_0.svg"] {
        assert!(!read(name).is_empty(), "{name}");
    }
    assert!(read("r/report.html").contains("<svg"), "the page carries its plots");
}

#[test]
fn a_report_takes_kept_trainings_and_refuses_those_of_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let report = |out, setting| {
        let args = ["report", "m.safetensors", "log.csv", "--horizon", "10f", "--stride", "10", "--seeds", "2"];
        let baselines = ["--baselines", "mdn", "--baseline-set", setting, "--keep", "kept", "-o", out];
        args.into_iter().chain(baselines).collect::<Vec<_>>()
    };
    succeeds(f, &report("a", "mdn.steps=30"));
    let files = ["kept/mdn.0.checkpoint", "kept/mdn.1.checkpoint", "kept/ebm.1.checkpoint"];
    let kept = || files.map(|name| std::fs::read(f.join(name)).unwrap());
    let (before, begun) = (kept(), std::time::Instant::now());
    succeeds(f, &report("b", "mdn.steps=30"));
    let again = begun.elapsed().as_secs_f64();
    assert!(before == kept(), "nothing was trained anew");
    let (a, b) = (reported(&f.join("a")), reported(&f.join("b")));
    assert_eq!(a["forecasters"], b["forecasters"]);
    for name in ["mdn", "ebm"] {
        let seconds = |r: &serde_json::Value| r["cost"][name]["train_seconds"].as_f64().unwrap();
        assert!(seconds(&b) + again >= seconds(&a), "{name}: the seconds of before count too");
        assert!(seconds(&b) > 0.0);
    }
    // Another way down the noise levels asks for no other training, which does not know of one.
    let header = String::from_utf8_lossy(&before[2]);
    assert!(header.contains("hidden") && !header.contains("guidance"));
    let walk = ["--sampler", "levels=8", "--sampler", "eta=0.5", "--sampler", "corrector_steps=1"];
    succeeds(f, &[&report("walked", "mdn.steps=30")[..], &walk].concat());
    assert!(before == kept(), "nothing was trained anew");
    let walked = reported(&f.join("walked"));
    assert_eq!(walked["cost"]["ebm"]["evaluations_per_chunk"], 14);
    assert_eq!(walked["forecasters"]["mdn"], a["forecasters"]["mdn"]);
    for run in [0, 1] {
        let score = |r: &serde_json::Value| r["forecasters"]["ebm"]["energy_score"]["by_seed"][run].as_f64().unwrap();
        assert_ne!(score(&walked), score(&a), "run {run}");
    }
    refuses(f, &report("c", "mdn.steps=40"), &["kept/mdn.0.checkpoint", "training settings"]);
    refuses(f, &report("d", "mdn.latent=2"), &["kept/mdn.0.checkpoint", "settings"]);
}

#[test]
#[cfg(not(feature = "rerun"))]
fn recordings_that_a_build_leaves_out_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    succeeds(f, &["predict", "m.safetensors", "log.csv", "--horizon", "1s", "--samples", "4", "-o", "a.json"]);
    for ask in [&["-o", "a.rrd"][..], &["--spawn"]] {
        refuses(f, &[&["view", "a.json"], ask].concat(), &["this build leaves recordings out", "feature `rerun`"]);
    }
    assert!(!f.join("a.rrd").exists());
}

#[test]
#[cfg(feature = "rerun")]
fn a_forecast_becomes_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    succeeds(f, &["predict", "m.safetensors", "log.csv", "--horizon", "1s", "--samples", "4", "-o", "a.json"]);
    succeeds(f, &["view", "a.json", "-o", "a.rrd"]);
    let bytes = std::fs::read(f.join("a.rrd")).unwrap();
    assert!(bytes.starts_with(b"RRF2"), "rerun's recordings begin so: {:?}", &bytes[..4]);
    refuses(f, &["view", "log.csv", "-o", "b.rrd"], &["log.csv", "expected a forecast"]);
    assert!(!f.join("b.rrd").exists());
}

#[test]
fn the_papers_preset_trains_and_predicts_too() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let replay = ["model.contrastive.replay=500", "model.contrastive.fresh=0.05"];
    let settings = ["train.steps=30", "model.hidden=[16,16]", "model.chunk=2", replay[0], replay[1]];
    let mut args = vec!["train", "log.csv", "-o", "p.safetensors", "--preset", "igebm"];
    args.extend(settings.iter().flat_map(|s| ["--set", s]));
    succeeds(f, &args);
    let telemetry = std::fs::read_to_string(f.join("p.telemetry.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(telemetry.lines().last().unwrap()).unwrap();
    for key in ["energy_data", "energy_samples", "energy_gap", "gradient_norm", "chain_moved", "replay_age"] {
        assert!(last[key].is_f64(), "{key} is not in {last}");
    }
    let predict = ["predict", "p.safetensors", "log.csv", "--horizon", "10f", "--samples", "3", "-o", "a.csv"];
    succeeds(f, &predict);
    refuses(f, &[&predict[..], &["--sampler", "levels=3"]].concat(), &["--sampler", "without noise levels"]);
}

/// Its 20 steps lead from the last frame to the next ones. With training chains that never begin anew they would not.
#[test]
fn the_papers_preset_learns_how_motion_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let sets = ["--set", "train.steps=1500", "--set", "model.hidden=[32,32]"];
    succeeds(f, &[&["train", "log.csv", "-o", "p.safetensors", "--preset", "igebm"][..], &sets].concat());
    succeeds(f, &["report", "p.safetensors", "log.csv", "--horizon", "10f", "--baselines", "hold", "-o", "r"]);
    let report = reported(&f.join("r"));
    let score = |name: &str| report["forecasters"][name]["energy_score"]["mean"].as_f64().unwrap();
    let (ours, hold) = (score("ebm"), score("hold"));
    assert!(ours < 0.5 * hold, "energy score {ours}, of the last frame held {hold}");
}

#[test]
fn chunks_are_drawn_as_the_command_line_says() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let predict = |walk: &[&str]| {
        let given = ["predict", "m.safetensors", "log.csv", "--horizon", "10f", "--samples", "200", "-o", "a.csv"];
        given.into_iter().chain(walk.iter().flat_map(|w| ["--sampler", *w])).map(String::from).collect::<Vec<_>>()
    };
    let drawn = |walk: &[&str]| {
        succeeds(f, &predict(walk).iter().map(String::as_str).collect::<Vec<_>>());
        std::fs::read_to_string(f.join("a.csv")).unwrap()
    };
    let plain = drawn(&[]);
    assert_eq!(drawn(&["levels=5", "temperature=1"]), plain, "the model's own settings");
    for other in [
        &["levels=6"][..],
        &["temperature=1.2"],
        &["end=0.5"],
        &["guidance=1.3"],
        &["eta=0.3"],
        &["corrector_steps=1", "corrector_size=0.2"],
    ] {
        assert_ne!(drawn(other), plain, "{other:?}");
    }
    for (walk, parts) in [
        (&["levels"][..], &["--sampler", "KEY=VALUE"][..]),
        (&["levels=0"], &["levels", "at least 1"]),
        (&["steps=3"], &["steps", "levels"]),
        (&["eta=1.5"], &["sampler.eta", "0 to 1"]),
        (&["end=0"], &["end", "above 0"]),
        (&["end=1.55"], &["start", "above the end"]),
        (&["guidance=0"], &["guidance", "a positive number"]),
        (&["corrector_size=0"], &["sampler.corrector_size", "above 0"]),
        (&["churn=0.5"], &["churn", "an earlier version", "`eta`"]),
        (&["temperature=warm"], &["temperature", "warm"]),
    ] {
        refuses(f, &predict(walk).iter().map(String::as_str).collect::<Vec<_>>(), parts);
    }
}

#[test]
fn a_convolution_over_time_trains_predicts_and_judges_too() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let mut args = vec!["train", "log.csv", "-o", "t.safetensors", "--preset", "temporal"];
    // Patches of 3 frames: 4 do not divide the chunk.
    args.extend(["--set", "train.steps=30", "--set", "model.chunk=6", "--set", "model.hidden=[16,16]"]);
    let filters = ["--set", "model.convolution.filters=[8,5]"];
    succeeds(f, &[&args[..], &filters].concat());
    let predict = ["predict", "t.safetensors", "log.csv", "--horizon", "10f", "--samples", "3", "-o"];
    succeeds(f, &[&predict[..], &["a.csv"]].concat());
    succeeds(f, &[&predict[..], &["b.csv"]].concat());
    let read = |name: &str| std::fs::read_to_string(f.join(name)).unwrap();
    assert_eq!(read("a.csv"), read("b.csv"));
    succeeds(f, &["anomaly", "t.safetensors", "log.csv", "--false-alarms", "0.2", "-o", "scores.csv"]);
    let none = ["--overwrite", "--set", "model.convolution.filters=[]"];
    refuses(f, &[&args[..], &none].concat(), &["convolution", "at least 1 frame"]);
}

#[test]
fn the_default_model_learns_by_recovery_too() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let mut args = vec!["train", "log.csv", "-o", "r.safetensors", "--preset", "recovery"];
    args.extend(["--set", "train.steps=30", "--set", "model.hidden=[16,16]", "--set", "model.objective.steps=5"]);
    succeeds(f, &args);
    let telemetry = std::fs::read_to_string(f.join("r.telemetry.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(telemetry.lines().last().unwrap()).unwrap();
    assert!(last["phase"] == "recovery" && last["energy_gap"].is_f64(), "{last}");
    succeeds(f, &["predict", "r.safetensors", "log.csv", "--horizon", "10f", "--samples", "3", "-o", "a.csv"]);
    refuses(f, &["train", "log.csv", "-o", "s.safetensors", "--set", "model.objective.steps=5"], &["objective.steps"]);
}

#[test]
fn quiet_is_quiet_and_colours_stay_away_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let loud = train(f, "a.safetensors", &[]);
    assert!(!loud.stderr.is_empty(), "a person is told what happens");
    assert!(!loud.stderr.contains(&0x1b), "no escape codes where there is no terminal");
    let quiet = train(f, "b.safetensors", &["--quiet"]);
    assert!(quiet.status.success() && quiet.stderr.is_empty() && quiet.stdout.is_empty(), "{}", stderr(&quiet));
}

#[test]
fn every_verb_explains_itself_with_examples() {
    let folder = tempfile::tempdir().unwrap();
    for verb in ["inspect", "train", "predict", "report", "anomaly", "score", "view", "demo"] {
        let help = succeeds(folder.path(), &[verb, "--help"]);
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(text.contains("Examples:") && text.contains(&format!("ebmotion {verb}")), "{text}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let text = succeeds(folder.path(), &["completions", shell]).stdout;
        assert!(String::from_utf8(text).unwrap().contains("ebmotion"));
    }
}

#[test]
fn inspect_shows_a_log_to_people_and_machines() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let text = String::from_utf8(succeeds(f, &["inspect", "log.csv"]).stdout).unwrap();
    assert!(text.contains("q_a") && text.contains("rad") && text.contains("20"), "{text}");
    let json = succeeds(f, &["inspect", "log.csv", "--json"]).stdout;
    assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
}
