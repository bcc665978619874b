//! `score` tells the worst episodes of a data set, and training leaves them out.

use super::*;

/// The log of [`trained`] with joint a of two episodes where it never was.
fn shifted(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("log.csv")).unwrap();
    let lines = text.lines().map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        match cells[0] {
            "3" | "7" => format!("{},{},{},{}\n", cells[0], cells[1], cells[2].parse::<f64>().unwrap() + 4.0, cells[3]),
            _ => format!("{line}\n"),
        }
    });
    std::fs::write(folder.join("day.csv"), lines.collect::<String>()).unwrap();
}

#[test]
fn the_worst_episodes_are_told_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    // Whole episodes are calibrated by whole episodes.
    let one = train(f, "one.safetensors", &[]);
    assert!(one.status.success(), "{}", stderr(&one));
    refuses(f, &["score", "one.safetensors", "log.csv"], &["validation episodes", "at least 2"]);
    let output = train(f, "m.safetensors", &["--set", "data.validation_share=0.4"]);
    assert!(output.status.success(), "{}", stderr(&output));
    shifted(f);
    let printed = succeeds(f, &["score", "m.safetensors", "day.csv", "-o", "scores.csv", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(json["format"], "ebmotion episode scores 1");
    let episodes = json["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 10);
    let p = |e: &serde_json::Value| e["p_value"].as_f64().unwrap();
    assert!(episodes.is_sorted_by(|a, b| p(a) <= p(b)));
    let mut names: Vec<&str> = episodes[..2].iter().map(|e| e["episode"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["day/3", "day/7"], "{json}");
    for episode in &episodes[..2] {
        assert_eq!((&episode["cause"], &episode["channel"]), (&"range".into(), &"q_a".into()), "{episode}");
        assert_eq!(episode["suspect"], true, "{episode}");
        assert!(episode["start_secs"].as_f64().unwrap() < episode["end_secs"].as_f64().unwrap(), "{episode}");
    }
    assert!(episodes[2..].iter().all(|e| e["cause"] != "range"), "{json}");
    let csv = std::fs::read_to_string(f.join("scores.csv")).unwrap();
    assert!(csv.starts_with("episode,p_value,q_value,suspect,cause,channel,start [s],end [s],score [nats],windows\n"));
    assert_eq!(csv.lines().count(), 11);
    succeeds(f, &["score", "m.safetensors", "day.csv", "-o", "scores.json"]);
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("scores.json")).unwrap()).unwrap();
    assert_eq!(written, json);
    // Windows are told by the same cause.
    let table = succeeds(f, &["anomaly", "m.safetensors", "day.csv", "--false-alarms", "0.12"]).stdout;
    assert!(String::from_utf8(table).unwrap().contains("range"));

    // The last line is a command that runs.
    let text = String::from_utf8(succeeds(f, &["score", "m.safetensors", "day.csv"]).stdout).unwrap();
    let command = text.lines().last().unwrap().strip_prefix("without them: ebmotion ").unwrap();
    let command = command.replace("MODEL", "without.safetensors");
    let words: Vec<&str> = command.split(' ').collect();
    let left_out: Vec<&str> = words.last().unwrap().split(',').collect();
    assert!(left_out.contains(&"day/3") && left_out.contains(&"day/7"), "{text}");
    let output = succeeds(f, &[&words[..], &SMALL].concat());
    let kept: usize = 10 - left_out.len();
    let told = stderr(&output);
    let counts: Vec<usize> = told
        .lines()
        .find_map(|l| l.split_once("episodes: ").map(|(_, rest)| rest))
        .unwrap()
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), kept, "{told}");
    // The model remembers them for its report, and asks nothing of other logs.
    let settings = std::fs::read_to_string(f.join("without.config.toml")).unwrap();
    assert!(settings.contains("exclude_episodes = [") && settings.contains("day/3"), "{settings}");
    succeeds(f, &["predict", "without.safetensors", "log.csv", "--horizon", "4f", "-o", "f.json"]);
    let report = ["report", "without.safetensors", "day.csv", "--horizon", "10f", "--baselines", "none", "-o", "r"];
    succeeds(f, &report);
}

#[test]
fn what_cannot_be_scored_or_left_out_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let score = ["score", "m.safetensors", "log.csv"];
    refuses(f, &[&score[..], &["-o", "x.txt"]].concat(), &["x.txt", ".csv or .json"]);
    refuses(f, &[&score[..], &["-o", "log.csv"]].concat(), &["log.csv", "another file"]);
    refuses(f, &[&score[..], &["--false-discoveries", "1.5"]].concat(), &["--false-discoveries", "between 0 and 1"]);
    let train = ["train", "log.csv", "-o", "n.safetensors", "--exclude"];
    refuses(f, &[&train[..], &["log/1,log/nine"]].concat(), &["--exclude", "`log/nine`", "fits no episode", "log/0"]);
    refuses(f, &[&train[..], &["*"]].concat(), &["--exclude", "all episodes", "at least one"]);
    assert!(!f.join("n.safetensors").exists());
}
