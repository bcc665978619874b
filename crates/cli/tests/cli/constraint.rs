//! `predict --constraint`: files that ask for limits and goals, and those that cannot be met.

use super::*;

const ASKED: &str = r#"
[limits]
velocity = { "*" = 3.3 }
acceleration = { "*" = 60.0 }
unit = "rad"

[[goal]]
joints = { q_a = 0.2 }
unit = "rad"
at = "1s"

[[waypoint]]
joints = { q_b = -10 }
unit = "deg"
at = "10f"

[near]
plan = "plan.csv"
std = 0.5
unit = "rad"

[smooth]
acceleration = 30.0
unit = "rad"
"#;

fn asked(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
    std::fs::write(folder.join("plan.csv"), "time [s],q_b [rad]\n0.05,0.1\n0.1,0.0\n0.15,-0.1\n0.2,-0.1\n").unwrap();
}

const PREDICT: [&str; 11] =
    ["predict", "m.safetensors", "log.csv", "--episode", "3", "--at", "2s", "--horizon", "1.5s", "--samples", "5"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&PREDICT[..], more].concat()
}

#[test]
fn futures_keep_what_a_file_asks() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    asked(f, "asked.toml", ASKED);
    let said = succeeds(f, &with(&["--constraint", "asked.toml", "--seed", "3", "-o", "a.csv"]));
    let said = stderr(&said);
    assert!(said.contains("goal 1 of asked.toml: met in 5 of 5 samples"), "{said}");
    let rows = |name: &str| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(f.join(name)).unwrap();
        text.lines().skip(1).map(|line| line.split(',').map(str::to_string).collect()).collect()
    };
    let all = rows("a.csv");
    assert_eq!(all.len(), 5 * 30);
    for sample in all.chunks(30) {
        let of = |c: usize| -> Vec<f64> { sample.iter().map(|row| row[5 + c].parse().unwrap()).collect() };
        for column in [of(0), of(1)] {
            assert!(column.windows(2).all(|w| (w[1] - w[0]).abs() * 20.0 <= 3.3), "{column:?}");
            assert!(column.windows(3).all(|w| (w[2] - 2.0 * w[1] + w[0]).abs() * 400.0 <= 60.0), "{column:?}");
        }
        assert_eq!((of(0)[19], (of(1)[9] + 10f64.to_radians()).abs() < 1e-6), (0.2, true));
    }
    let checks = rows("a.constraints.csv");
    assert_eq!(checks.len(), 6 * 5);
    assert!(checks.iter().all(|row| row[4] == "true" || row[0].starts_with("near") || row[0].starts_with("smooth")));
    // Free futures break these limits.
    succeeds(f, &with(&["--seed", "3", "-o", "free.csv"]));
    let speed = |rows: &[Vec<String>], c: usize| -> f64 {
        let values: Vec<f64> = rows.iter().map(|row| row[5 + c].parse().unwrap()).collect();
        values
            .chunks(30)
            .flat_map(|s| s.windows(3))
            .map(|w| (w[2] - 2.0 * w[1] + w[0]).abs() * 400.0)
            .fold(0.0, f64::max)
    };
    let free = rows("free.csv");
    assert!(speed(&free, 0).max(speed(&free, 1)) > 60.0, "{} {}", speed(&free, 0), speed(&free, 1));
    succeeds(f, &with(&["--constraint", "asked.toml", "--seed", "3", "-o", "b.csv"]));
    assert_eq!(all, rows("b.csv"), "one seed");
    succeeds(f, &with(&["--constraint", "asked.toml", "--seed", "3", "-o", "a.json"]));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("a.json")).unwrap()).unwrap();
    let names: Vec<_> = json["constraints"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 6);
    assert_eq!(json["constraints"][2]["met"], serde_json::json!([true, true, true, true, true]));
    assert_eq!(json["constraints"][2]["bands"][0][1], serde_json::json!([19, 20]));
    // A constrained future is a forecast like any other.
    let expected = if cfg!(feature = "rerun") { 0 } else { 2 };
    assert_eq!(run(f, &["view", "a.json", "-o", "a.rrd"]).status.code(), Some(expected));
}

#[test]
fn what_cannot_be_is_refused_by_the_name_of_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let refused = |text: &str, parts: &[&str]| {
        asked(f, "asked.toml", text);
        let message = refuses(f, &with(&["--constraint", "asked.toml", "-o", "a.csv"]), parts);
        assert!(message.contains("asked.toml"), "{message}");
        assert!(!f.join("a.csv").exists());
    };
    let goal = "[goal]\njoints = { q_a = 0.9 }\nunit = 'rad'\nat = '0.1s'\n";
    refused(
        &format!("limits = {{ velocity = {{ '*' = 3.3 }}, unit = 'rad' }}\n{goal}"),
        &["goal of", "at 0.10 s", "3.300 rad/s"],
    );
    refused(
        &format!("limits = {{ position = {{ q_a = [-1.5, 0.5] }}, unit = 'rad' }}\n{goal}"),
        &["goal of", "0.5000 rad, by position of limits"],
    );
    refused("[goal]\njoints = { q_a = 0.9 }\nunit = 'm'\n", &["unit = \"m\"", "q_a [rad]"]);
    refused("[goal]\njoints = { q_c = 0.9 }\nunit = 'rad'\n", &["`q_c`", "q_a, q_b"]);
    refused("[goal]\nlink = 'tip'\nposition = [0, 0, 0]\nunit = 'm'\n", &["no robot", "--urdf"]);
    refused("[gaol]\njoints = { q_a = 0.9 }\n", &["`gaol`", "limits, goal, waypoint"]);
    refused("[goal\n", &["TOML", "line 1"]);
    asked(f, "asked.toml", "[near]\nplan = 'none.csv'\nstd = 1\nunit = 'rad'\n");
    refuses(f, &with(&["--constraint", "asked.toml", "-o", "a.csv"]), &["none.csv: cannot read"]);
    refuses(f, &with(&["--constraint", "none.toml", "-o", "a.csv"]), &["none.toml: cannot read"]);
    asked(f, "asked.toml", "[smooth]\nacceleration = 30.0\nunit = 'rad'\n");
    refuses(f, &with(&["--constraint", "asked.toml", "-o", "asked.toml"]), &[".csv or .json"]);
    let paper = ["train", "log.csv", "-o", "p.safetensors", "--preset", "igebm", "--set", "train.steps=5"];
    succeeds(f, &paper);
    let none = ["predict", "p.safetensors", "log.csv", "--constraint", "asked.toml", "-o", "a.csv"];
    refuses(f, &none, &["constraint", "noise levels"]);
}

#[test]
fn the_documents_example_is_drawn_and_met() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = |path: &str| root.join(path).display().to_string();
    let (logs, file) = (text("data/hand_gestures/hand_gestures.csv.gz"), text("examples/constraints/hand.toml"));
    let quick = ["--set", "train.steps=20", "--set", "model.hidden=[16]"];
    succeeds(f, &[&["train", &logs, "-o", "m.safetensors"][..], &quick].concat());
    let predict = ["predict", "m.safetensors", &logs, "--at", "2s", "--horizon", "3s", "--samples", "4"];
    succeeds(f, &[&predict[..], &["--constraint", &file, "-o", "a.json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("a.json")).unwrap()).unwrap();
    let checks = json["constraints"].as_array().unwrap();
    assert_eq!(checks.len(), 4, "{checks:?}");
    for check in checks {
        assert!(check["met"].as_array().unwrap().iter().all(|met| met == true), "{check}");
    }
}
