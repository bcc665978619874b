//! What `inspect` finds in dirty logs.

use crate::kept;
use ebmotion_logs::{FindingKind, Inspection, LogFinding, LogGroup, ReadOptions, Severity, Stuck, inspect};
use std::f64::consts::{PI, TAU};
use std::fmt::Write;

/// What is found in a log of one episode.
fn look_at(text: &str, options: &ReadOptions) -> Inspection {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    std::fs::write(&path, text).unwrap();
    let found = inspect(&[path], options).unwrap();
    assert_eq!(found.groups.len(), 1);
    narrow(&found);
    found
}

fn look(text: &str, options: &ReadOptions) -> LogGroup {
    look_at(text, options).groups.remove(0)
}

/// The finding of a kind and a channel.
#[track_caller]
fn of<'a>(found: &'a Inspection, kind: FindingKind, channel: Option<&str>) -> &'a LogFinding {
    let own = |f: &&LogFinding| f.kind == kind && f.channel.as_deref() == channel;
    found.findings.iter().find(own).unwrap_or_else(|| panic!("{kind} {channel:?}: {found}"))
}

fn lines(finding: &LogFinding) -> Vec<u64> {
    finding.places.iter().map(|place| place.line).collect()
}

/// The text keeps within 100 columns and the JSON can be read.
fn narrow(found: &Inspection) {
    let text = found.to_string();
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(found).unwrap()).unwrap();
    assert!(json["groups"][0]["channels"].is_array());
}

#[test]
fn every_fault_that_was_put_in_is_found() {
    // 20 Hz, 100 rows: `moving` moves, `held` keeps one value for rows 30..=59, `dead` is constant, `angle` wraps
    // twice.
    let mut text = String::from("time,moving [m],held,dead,angle [rad],gaps,flag\n");
    for k in 0..100 {
        if (70..75).contains(&k) || k == 90 {
            continue; // two gaps, six frames
        }
        let t = 0.05 * f64::from(k);
        let held = if (30..60).contains(&k) { 3.0 } else { f64::from(k) };
        let angle = (0.13 * f64::from(k) + 2.0) % TAU - PI;
        let gaps = match k {
            3 => "".into(),
            8 => "nan".into(),
            9 => "inf".into(),
            _ => k.to_string(),
        };
        writeln!(text, "{t},{},{held},7,{angle},{gaps},{}", (0.3 * t).sin(), if k % 2 == 0 { "on" } else { "off" })
            .unwrap();
    }
    text += "2.5,0,0,7,0,0,on\n"; // the time of row 50 again, at the end
    let found = look_at(&text, &ReadOptions::default());
    let group = &found.groups[0];
    assert_eq!((group.rows, group.channels.len()), (95, 6));
    let e = &group.episodes[0];
    let gaps = e.gaps.as_ref().unwrap();
    assert_eq!((gaps.count, gaps.missing_frames, gaps.longest_line), (2, 6, 72));
    assert!((gaps.longest_secs - 0.3).abs() < 1e-9 && (gaps.longest_from_secs - 3.45).abs() < 1e-9);
    assert_eq!((e.backwards, e.backwards_line, e.repeated, e.repeated_line), (1, Some(96), 1, Some(96)));
    assert!((e.rate_hz.unwrap() - 20.0).abs() < 1e-9 && (e.duration_secs - 4.95).abs() < 1e-9);

    let find = |name: &str| group.channels.iter().find(|c| c.channel.name == name).unwrap();
    assert_eq!(find("moving").channel.unit.as_deref(), Some("m"));
    assert_eq!((find("moving").stuck, find("moving").faults.total()), (None, 0));
    assert_eq!((find("dead").stuck, find("dead").changes), (Some(Stuck::Constant), Some(0.0)));
    let held = find("held");
    let run = held.longest_hold.as_ref().unwrap();
    assert_eq!((held.stuck, held.stuck_holds, run.frames, run.line, run.value), (Some(Stuck::Run), 1, 30, 32, 3.0));
    assert!((run.secs - 29.0 * 0.05).abs() < 1e-9);
    assert_eq!((find("angle").wrap_jumps, find("angle").suspected_period), (2, Some(TAU)));
    let faults = &find("gaps").faults;
    assert_eq!((faults.empty, faults.nan, faults.infinite, faults.text, faults.first_line), (1, 1, 1, 0, Some(5)));
    assert_eq!((find("gaps").min, find("gaps").max), (Some(0.0), Some(99.0)));
    assert_eq!((find("flag").faults.text, find("flag").mean), (95, None));

    use FindingKind::{BackwardRows, Constant, Counter, DroppedRows, Gap, MissingValues, Refused, RepeatedStamp, Wrap};
    assert_eq!(lines(of(&found, Gap, None)), [72]);
    assert_eq!(lines(of(&found, DroppedRows, None)), [87]);
    assert_eq!(lines(of(&found, BackwardRows, None)), [96]);
    assert_eq!(lines(of(&found, RepeatedStamp, None)), [96]);
    assert_eq!(lines(of(&found, MissingValues, Some("gaps"))), [5, 10, 11]);
    assert_eq!(of(&found, MissingValues, Some("flag")).count, 95);
    assert_eq!(lines(of(&found, FindingKind::Stuck, Some("held"))), [32]);
    assert_eq!(of(&found, Wrap, Some("angle")).count, 2);
    assert_eq!(of(&found, Constant, Some("dead")).severity, Severity::Note);
    // Reading refuses the log; `gaps` counts rows, and `held` is larger than an angle in rad.
    assert_eq!(of(&found, Refused, Some("flag")).severity, Severity::Error);
    assert_eq!(of(&found, Counter, Some("gaps")).severity, Severity::Warning);
    assert_eq!(of(&found, FindingKind::DegreesForRadians, Some("held")).severity, Severity::Note);
    assert_eq!(found.findings.len(), 12, "{found}");
    assert!(found.findings.is_sorted_by_key(|f| std::cmp::Reverse(f.severity)));
}

#[test]
fn a_resting_robot_and_a_clean_log_are_not_suspicious() {
    let rows = |f: &dyn Fn(f64) -> f64| -> String {
        (0..100).map(|k| format!("{},{},{}\n", 0.04 * f64::from(k), f(f64::from(k)), f(f64::from(k + 1)))).collect()
    };
    let clean = look_at(&format!("time,x,y\n{}", rows(&|k| (0.1 * k).sin())), &ReadOptions::default());
    assert_eq!((clean.findings.as_slice(), clean.gravest()), (&[][..], None), "{clean}");
    assert!(clean.to_string().contains("Nothing suspicious."));
    // Both channels rest from row 40 on: nothing moves meanwhile, so nothing is stuck.
    let resting = look(&format!("time,x,y\n{}", rows(&|k| k.min(40.0))), &ReadOptions::default());
    assert_eq!(resting.channels[0].stuck, None);
    assert!(resting.channels[0].longest_hold.as_ref().unwrap().secs > 2.0);
}

#[test]
fn structure_is_still_checked_and_unlike_files_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.csv"), "time,x\n0,1\n1,2\n").unwrap();
    std::fs::write(path("b.csv"), "time,y\n0,1\n1,3\n").unwrap();
    let found = inspect(&[folder.path()], &ReadOptions::default()).unwrap();
    assert_eq!(found.groups.len(), 2);
    let different = of(&found, FindingKind::DifferentChannels, None);
    assert_eq!(different.severity, Severity::Error);
    assert!(different.seen.contains("x against y") && different.advice.contains("one recording"), "{different}");
    for text in ["time,x\n0\n", "t,x\n0,1\n", "", "time,x\n", "time,x,x\n0,1,2\n"] {
        std::fs::write(path("b.csv"), text).unwrap();
        assert_eq!(inspect(&[path("b.csv")], &ReadOptions::default()).unwrap_err().exit_code(), 2, "{text:?}");
    }
}

#[test]
#[ignore = "needs ../shared/data/adroit_door"]
fn a_log_without_times_beside_the_project_is_refused() {
    let door = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/adroit_door/demo_00.csv");
    let error = inspect(&[door], &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("demo_00.csv, line 1, column `time`") && error.contains("`q_ARRx`"), "{error}");
}

#[test]
fn a_log_with_decimal_commas_and_a_delimiter_at_the_end_is_read() {
    let cobot = kept("ur3_cobotops/dataset_02052023.csv.gz");
    let found = inspect(&[&cobot], &ReadOptions::default()).unwrap();
    narrow(&found);
    let group = &found.groups[0];
    assert!((group.episodes[0].rate_hz.unwrap() - 1.0).abs() < 0.01);
    // `Num` counts the rows and `Timestamp` is the time; 24 columns have a name.
    assert_eq!(group.channels.len(), 22);
    // Counted, and the extremes found, with Python: 1,000 rows, three of them empty; 84 of the speeds have an exponent.
    assert_eq!(group.rows, 1000);
    for (name, least, most) in [("Current_J0", -5.376861095, 6.460327625), ("Speed_J0", -0.621303737, 0.776197672)] {
        let found = group.channels.iter().find(|c| c.channel.name == name).unwrap();
        assert_eq!((found.values, found.faults.empty, found.faults.total()), (997, 3, 3), "{name}");
        assert_eq!((found.min, found.max), (Some(least), Some(most)), "{name}");
    }
}
