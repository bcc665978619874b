//! Logs that are cleaned: nearer to the truth than they were, in every format, and what cannot be.

use super::*;

/// The log of `log` with noise of 0.1 in `q_a`, alternating and so known; without frames 30 and 31 of episode 2.
fn noisy(folder: &Path) {
    let text = std::fs::read_to_string(log(folder, "log.csv")).unwrap();
    let mut spoiled = String::new();
    for (i, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        match (cells[2].parse::<f64>(), cells[0], cells[1]) {
            (Err(_), ..) => spoiled += &format!("{line}\n"),
            (Ok(_), "2", "1.50" | "1.55") => {}
            // Signs by a rule that no motion follows.
            (Ok(value), ..) => {
                let sign = if (i * i / 3 + i / 5) % 2 == 0 { 0.1 } else { -0.1 };
                spoiled += &format!("{},{},{},{}\n", cells[0], cells[1], value + sign, cells[3]);
            }
        }
    }
    std::fs::write(folder.join("noisy.csv"), spoiled).unwrap();
}

/// Rows of a log: episode, time and values.
fn rows(folder: &Path, name: &str) -> Vec<(String, f64, Vec<f64>)> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let values = cells[2..].iter().map(|v| v.parse().unwrap()).collect();
        (cells[0].rsplit('/').next().unwrap().to_string(), cells[1].parse().unwrap(), values)
    };
    text.lines().skip(1).map(row).collect()
}

/// Mean squared difference of a channel from the true log's, over the frames that the log has.
fn error(folder: &Path, name: &str, channel: usize) -> f64 {
    let truth = rows(folder, "log.csv");
    let of = |(episode, time, values): &(String, f64, Vec<f64>)| {
        let real = truth.iter().find(|(e, t, _)| e == episode && (t - time).abs() < 1e-6).unwrap();
        (values[channel] - real.2[channel]).powi(2)
    };
    let all = rows(folder, name);
    all.iter().map(of).sum::<f64>() / all.len() as f64
}

#[test]
fn a_cleaned_log_is_nearer_to_the_truth_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    noisy(f);
    let clean = ["clean", "m.safetensors", "noisy.csv", "--samples", "4", "--seed", "7", "--noise"];
    let known = "q_a=0.1,q_b=0";
    succeeds(f, &[&clean[..], &[known, "-o", "a.csv", "--std", "s.csv"]].concat());
    assert_eq!(rows(f, "a.csv").len(), rows(f, "log.csv").len(), "missing rows are filled");
    let (before, after) = (error(f, "noisy.csv", 0), error(f, "a.csv", 0));
    assert!(after < 0.5 * before, "{after} for {before}");
    // A channel that is known stays as it was where the log has it.
    let seen = rows(f, "noisy.csv");
    let same = |(episode, time, values): &(String, f64, Vec<f64>)| {
        let was = seen.iter().find(|(e, t, _)| e == episode && (t - time).abs() < 1e-6);
        was.is_none_or(|was| was.2[1] == values[1])
    };
    assert!(rows(f, "a.csv").iter().all(same));
    let left = rows(f, "s.csv");
    let mean = left.iter().map(|(.., std)| std[0]).sum::<f64>() / left.len() as f64;
    assert!(left.iter().all(|(.., std)| std[0] > 0.0) && mean < 0.1, "{mean}");
    let of_known = left.iter().filter(|(.., std)| std[1] > 0.0).count();
    assert_eq!(of_known, 2, "only what was missing is uncertain");
    succeeds(f, &[&clean[..], &[known, "-o", "b.csv"]].concat());
    assert_eq!(rows(f, "a.csv"), rows(f, "b.csv"), "one seed");
    // A cleaned log is a log.
    succeeds(f, &["predict", "m.safetensors", "a.csv", "-o", "p.json"]);
}

#[test]
fn noise_is_estimated_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    noisy(f);
    let clean = ["clean", "m.safetensors", "noisy.csv", "--samples", "4", "-o", "a.json"];
    let told = String::from_utf8(succeeds(f, &clean).stderr).unwrap();
    let line = told.lines().find(|line| line.trim_start().starts_with("q_a ")).unwrap_or_else(|| panic!("{told}"));
    let std: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((0.05..0.15).contains(&std), "{line}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("a.json")).unwrap()).unwrap();
    let first = &json.as_array().unwrap()[0];
    assert_eq!(first["samples"].as_array().unwrap().len(), 1);
    assert_eq!(first["history"].as_array().unwrap().len(), 4);
}

#[test]
fn what_cannot_be_cleaned_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let clean =
        |extra: &[&'static str]| -> Vec<&'static str> { [&["clean", "m.safetensors", "log.csv"][..], extra].concat() };
    for (extra, parts) in [
        (&["-o", "a.txt"][..], &["a.txt", ".csv"][..]),
        (&["-o", "log.csv"], &["never replaces what it reads"]),
        (&["-o", "a.csv", "--std", "log.csv"], &["never replaces what it reads"]),
        (&["-o", "a.csv", "--noise", "0"], &["noise", "positive"]),
        (&["-o", "a.csv", "--noise=-1"], &["standard deviation"]),
        (&["-o", "a.csv", "--noise", "q_c=0.1"], &["q_c", "q_a, q_b"]),
        (&["-o", "a.csv", "--noise", "0.1", "--samples", "1"], &["samples", "at least 2"]),
    ] {
        refuses(f, &clean(extra), parts);
    }
    std::fs::write(f.join("short.csv"), "time [s],q_a [rad],q_b [rad]\n0,0,0\n0.05,0,0\n0.1,0,0\n").unwrap();
    let short = ["clean", "m.safetensors", "short.csv", "--noise", "0.1", "-o", "a.csv"];
    refuses(f, &short, &["short", "more than 4"]);
    refuses(f, &["clean", "m.safetensors", "short.csv", "-o", "a.csv"], &["noise is estimated", "complete frames"]);
    assert!(!f.join("a.csv").exists());
    succeeds(f, &["train", "log.csv", "-o", "p.safetensors", "--preset", "igebm", "--set", "train.steps=5"]);
    let none = ["clean", "p.safetensors", "log.csv", "--noise", "0.1", "-o", "a.csv"];
    refuses(f, &none, &["ebm", "with noise levels"]);
}
