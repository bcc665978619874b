//! A real log with faults put in: each is found by its kind, its channel and its line. Without them nothing is found.

use crate::{kept, unpacked};
use ebmotion_logs::{FindingKind, Inspection, LogFinding, ReadOptions, inspect};

/// Rows a second.
const RATE: f64 = 30.0;

fn options() -> ReadOptions {
    ReadOptions { time_column: Some("t".into()), ..Default::default() }
}

/// The first column of a log, and its header.
fn times(name: &str) -> (Vec<String>, Vec<f64>) {
    let text = unpacked(&kept(name));
    let header = text.lines().next().unwrap().split(',').map(String::from).collect();
    (header, text.lines().skip(1).map(|l| l.split(',').next().unwrap().parse().unwrap()).collect())
}

fn lines(finding: &LogFinding) -> Vec<u64> {
    finding.places.iter().map(|place| place.line).collect()
}

/// The findings of a kind.
fn all(found: &Inspection, kind: FindingKind) -> Vec<&LogFinding> {
    found.findings.iter().filter(|f| f.kind == kind).collect()
}

/// The one finding of a kind.
#[track_caller]
fn one(found: &Inspection, kind: FindingKind) -> &LogFinding {
    let [finding] = all(found, kind)[..] else { panic!("not one {kind}: {found}") };
    finding
}

#[test]
fn every_fault_listed_for_the_dirty_log_is_found_where_it_is() {
    let path = kept("g1_inspire/dirty.csv.gz");
    let listed = std::fs::read_to_string(path.with_file_name("dirty.json")).unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let number = |key: &str| listed[key].as_u64().unwrap() as usize;
    let numbers = |key: &str| -> Vec<usize> {
        listed[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
    };
    let found = inspect(&[&path], &options()).unwrap();
    let text = found.to_string();
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
    let (header, time) = times("g1_inspire/dirty.csv.gz");
    assert_eq!((found.groups[0].rows, time.len()), (number("rows"), number("rows")));

    // The rows of the original by their stamps, which jitter by far less than a step; the line of a row is two more.
    let appended = numbers("duplicated_rows_appended");
    let original: Vec<usize> = time.iter().map(|t| (t * RATE).round() as usize).collect();
    let body = &original[..time.len() - appended.len()];
    let last: Vec<u64> = (body.len()..time.len()).map(|row| row as u64 + 2).collect();
    assert_eq!(lines(one(&found, FindingKind::DuplicatedRow)), last);

    let swapped: Vec<u64> = numbers("swapped_rows").iter().map(|row| *row as u64 + 2).collect();
    let exchanged = one(&found, FindingKind::SwappedRows);
    assert_eq!((lines(exchanged), exchanged.count), (swapped, 1));

    // Where rows of the original are missing: the line after them, and how many.
    let mut sorted: Vec<(usize, u64)> = body.iter().enumerate().map(|(row, k)| (*k, row as u64 + 2)).collect();
    sorted.sort_unstable();
    let holes: Vec<(usize, usize, u64)> =
        sorted.windows(2).filter(|w| w[1].0 > w[0].0 + 1).map(|w| (w[0].0 + 1, w[1].0 - w[0].0 - 1, w[1].1)).collect();
    let (gap_at, gap_rows) = (number("gap_at_original_row"), number("gap_len"));
    let (gaps, dropped): (Vec<_>, Vec<_>) = holes.into_iter().partition(|(_, rows, _)| *rows > 2);
    assert_eq!(gaps.iter().map(|(at, rows, _)| (*at, *rows)).collect::<Vec<_>>(), [(gap_at, gap_rows)]);
    let gap = one(&found, FindingKind::Gap);
    assert_eq!((lines(gap), gap.figures["missing_rows"]), (vec![gaps[0].2], gap_rows as f64));
    assert!((gap.places[0].secs.unwrap() * RATE - (gap_at + gap_rows) as f64).abs() < 0.1);
    let single = one(&found, FindingKind::DroppedRows);
    assert_eq!(lines(single), dropped.iter().map(|hole| hole.2).collect::<Vec<_>>());
    assert_eq!(single.figures["missing_rows"] as usize, number("dropped_rows_total") - gap_rows);
    assert!(single.advice.contains("`max_gap = 2."), "{single}");

    // Every cell without a number, by its channel and line.
    let text = unpacked(&path);
    let mut empty: Vec<(String, u64)> = Vec::new();
    for (row, line) in text.lines().enumerate().skip(1) {
        let cells = line.split(',').enumerate().filter(|(_, cell)| cell.parse().is_ok_and(f64::is_nan));
        empty.extend(cells.map(|(column, _)| (header[column].clone(), row as u64 + 1)));
    }
    assert_eq!(empty.len(), number("nan_cells"));
    let missing = all(&found, FindingKind::MissingValues);
    let mut told: Vec<(String, u64)> = missing
        .iter()
        .flat_map(|f| lines(f).into_iter().map(|line| (f.channel.clone().unwrap(), line)).collect::<Vec<_>>())
        .collect();
    told.sort();
    empty.sort();
    assert_eq!(told, empty);

    // A step is the difference of two stamps: sqrt 2 of their jitter; 440 steps give it to 4 / sqrt(880) = 14 %.
    let jitter = one(&found, FindingKind::Jitter).figures["secs"];
    let put_in = listed["t_jitter_sigma_s"].as_f64().unwrap() * 2.0_f64.sqrt();
    assert!((jitter / put_in - 1.0).abs() < 0.14, "{jitter}");
    // That reading refuses it as it is is the one thing found beyond the list.
    assert_eq!(one(&found, FindingKind::Refused).count, 1);
    assert_eq!(found.findings.len(), 6 + missing.len(), "{found}");

    let page = found.page();
    assert_eq!(page.matches("<svg").count(), header.len() - 1);
    assert!(page.contains("<td>swapped_rows</td>") && page.contains("kRightElbow.pos") && !page.contains("http"));
    assert!(page.contains(&format!("<title>gap: line {} of dirty</title>", gaps[0].2)));
}

#[test]
fn nothing_is_found_in_the_clean_one() {
    let found = inspect(&[kept("g1_inspire/truth.csv.gz")], &options()).unwrap();
    assert_eq!(found.findings, [], "{found}");
    assert_eq!(found.groups[0].rate_hz, Some(RATE));
    let e = &found.groups[0].episodes[0];
    assert_eq!((&e.gaps, e.backwards, e.repeated), (&None, 0, 0));
    // The hands are read far less often than they are logged; the arms are not.
    let changes =
        |name: &str| found.groups[0].channels.iter().find(|c| c.channel.name == name).unwrap().changes.unwrap();
    assert!(changes("kLeftHandPinky.pos") < 0.3 && changes("kLeftElbow.pos") > 0.5);
}

#[test]
fn nothing_is_found_in_the_embedded_logs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/hand_gestures/hand_gestures.csv.gz");
    let found = inspect(&[path], &ReadOptions::default()).unwrap();
    assert_eq!(found.groups[0].episodes.len(), 300);
    assert_eq!(found.findings, [], "{found}");
}

#[test]
#[ignore = "needs ../shared/data/hiro_arm"]
fn nothing_is_found_in_a_real_arm_beside_the_project() {
    let arm = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/hiro_arm/success");
    let found = inspect(&[arm], &ReadOptions::default()).unwrap();
    assert_eq!((found.groups[0].episodes.len(), found.groups[0].rate_hz), (36, Some(200.0)));
    assert_eq!(found.findings, [], "{found}");
}
