//! What a user gets wrong, and is told.

use super::*;

#[test]
fn logs_that_are_wrong_are_refused_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let rows = |n: usize| (0..n).map(|t| format!("{:.2},{}.5\n", t as f64 * 0.1, t)).collect::<String>();
    let good = format!("time,q\n{}", rows(20));
    let cases: [(&str, String, &[&str]); 12] = [
        ("no time column", good.replace("time", "zeit"), &["line 1", "time"]),
        ("a column twice", "time,q,q\n0,1,1\n1,2,2\n".into(), &["line 1", "`q`"]),
        ("a ragged row", "time,q\n0,1\n0.1,2,3\n0.2,4\n".into(), &["line 3", "3", "2"]),
        ("an empty file", String::new(), &["empty"]),
        ("a cell that is no number", good.replace("3.5", "fast"), &["line 5", "`q`", "fast"]),
        ("a NaN", good.replace("3.5", "NaN"), &["line 5", "`q`", "--on-gap split"]),
        ("an infinite value", good.replace("3.5", "inf"), &["line 5", "`q`"]),
        ("time going back", good.replace("0.30,", "0.15,"), &["line 5", "time"]),
        ("time repeated", good.replace("0.30,", "0.20,"), &["line 5", "time"]),
        ("a gap", good.replace("0.30,3.5\n0.40,4.5\n", ""), &["line 5", "--on-gap split"]),
        ("two rates mixed", two_rates(), &["Hz"]),
        ("an episode shorter than a window", short_episode(), &["short", "6"]),
    ];
    for (what, text, parts) in cases {
        std::fs::write(f.join("log.csv"), text).unwrap();
        let output = train(f, "out/m.safetensors", &[]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{what}: {message}");
        assert!(parts.iter().all(|p| message.contains(p)), "{what}: expected {parts:?} in: {message}");
        assert!(message.contains("expected"), "{what}: {message}");
        let left = left_in(&f.join("out"));
        assert!(left.iter().all(|n| !n.contains("safetensors") && !n.starts_with('.')), "{what} left {left:?}");
    }
    refuses(f, &["train", "nothing.csv", "-o", "m.safetensors"], &["nothing.csv"]);
}

fn two_rates() -> String {
    let mut text = String::from("episode,time,q\n");
    for (episode, step) in [("a", 0.1), ("b", 0.1), ("c", 0.05), ("d", 0.1)] {
        (0..30).for_each(|t| text += &format!("{episode},{:.3},{t}\n", f64::from(t) * step));
    }
    text
}

fn short_episode() -> String {
    let mut text = String::from("episode,time,q\n");
    for (episode, length) in [("a", 30), ("b", 30), ("short", 6), ("d", 30), ("e", 6), ("f", 6), ("g", 6)] {
        (0..length).for_each(|t| text += &format!("{episode},{:.1},{}\n", f64::from(t) * 0.1, (t * t) % 7));
    }
    text
}

#[test]
fn gaps_split_an_episode_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let text = std::fs::read_to_string(log(f, "log.csv")).unwrap();
    // Frame 40 of episode 2 has no value.
    let broken: Vec<String> = text
        .lines()
        .map(|l| if l.starts_with("2,2.00,") { "2,2.00,NaN,0".to_string() } else { l.to_string() })
        .collect();
    std::fs::write(f.join("log.csv"), broken.join("\n")).unwrap();
    assert_eq!(train(f, "m.safetensors", &[]).status.code(), Some(2));
    let output = train(f, "m.safetensors", &["--on-gap", "split"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let text = std::fs::read_to_string(f.join("log.csv")).unwrap();
    let predict = |model: &str, log: &str, parts: &[&str]| {
        refuses(f, &["predict", model, log, "-o", "x.csv"], parts);
        assert!(!f.join("x.csv").exists());
    };
    std::fs::write(f.join("renamed.csv"), text.replacen("q_b", "q_c", 1)).unwrap();
    predict("m.safetensors", "renamed.csv", &["q_b", "q_c"]);
    std::fs::write(f.join("degrees.csv"), text.replacen("q_b [rad]", "q_b [deg]", 1)).unwrap();
    predict("m.safetensors", "degrees.csv", &["q_b [rad]", "q_b [deg]"]);
    let whole = std::fs::read(f.join("m.safetensors")).unwrap();
    for cut in [0, 5, 100, whole.len() - 3] {
        std::fs::write(f.join("cut.safetensors"), &whole[..cut]).unwrap();
        predict("cut.safetensors", "log.csv", &["cut.safetensors", "expected"]);
    }
    predict("log.csv", "log.csv", &["log.csv", "expected"]);
    predict("none.safetensors", "log.csv", &["none.safetensors"]);
    refuses(f, &["predict", "m.safetensors", "log.csv", "-o", "x.txt"], &["x.txt", ".csv or .json"]);
    refuses(f, &["predict", "m.safetensors", "log.csv", "--episode", "77", "-o", "x.csv"], &["77", "expected one of"]);
    refuses(f, &["predict", "m.safetensors", "log.csv", "--at", "1f", "-o", "x.csv"], &["frame 1"]);
    refuses(f, &["report", "m.safetensors", "log.csv", "--baselines", "gpt", "-o", "r"], &["gpt", "var_sampled"]);
    // Another split would test on what was trained on: a log of the same episodes in another order does that.
    let (header, rows) = text.split_once('\n').unwrap();
    let mut episodes: Vec<Vec<&str>> = vec![Vec::new(); 10];
    rows.lines().for_each(|l| episodes[l.split(',').next().unwrap().parse::<usize>().unwrap()].push(l));
    episodes.rotate_left(3);
    let shuffled = format!("{header}\n{}\n", episodes.concat().join("\n"));
    std::fs::write(f.join("shuffled.csv"), shuffled).unwrap();
    refuses(f, &["report", "m.safetensors", "shuffled.csv", "-o", "r"], &["trained on"]);
}

#[test]
fn settings_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let with = |set: &str, parts: &[&str]| {
        refuses(f, &["train", "log.csv", "-o", "m.safetensors", "--set", set], parts);
    };
    with("train.stepz=3", &["train.stepz", "steps"]);
    with("train.steps=many", &["train.steps", "many"]);
    with("train.steps=-3", &["train.steps", "-3"]);
    with("train.batch=0", &["batch", "at least 1"]);
    with("train.optimizer.learning_rate=-1", &["learning_rate", "-1"]);
    with("nonsense", &["nonsense", "KEY=VALUE"]);
    std::fs::write(f.join("bad.toml"), "[train]\nsteps = \n").unwrap();
    refuses(f, &["train", "log.csv", "-o", "m.safetensors", "--config", "bad.toml"], &["bad.toml", "line 2"]);
    let printed = succeeds(f, &["train", "--print-config", "--preset", "igebm", "--set", "train.steps=5"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("steps = 5") && text.contains("kind = \"igebm\""), "{text}");
}
