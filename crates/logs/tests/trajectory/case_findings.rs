//! What `inspect` says of every file of `tests/data/logs/cases`, and that it says what reading does.

use crate::kept;
use ebmotion_logs::{Error, ReadOptions, Recording, inspect};
use std::path::{Path, PathBuf};

/// A file, and what is found: severity, kind, channel, number; or where even a lenient reading stops.
type Row = (&'static str, &'static [&'static str]);

const CASES: &[Row] = &[
    ("01-plotjuggler-sparse/export.csv", &["stops: channels of several rates"]),
    ("02-rostopic-echo-p/run0.csv", &["note jitter 1", "note too_few_frames 1"]),
    ("02-rostopic-echo-p/run1.csv", &["note jitter 1", "note too_few_frames 1"]),
    ("04-sec-nanosec/js.csv", &[]),
    ("05-time-units/cycle_1k_us.csv", &["stops: steps of 1000 without a unit, 0.001 Hz in seconds"]),
    ("05-time-units/time_bracket_S.csv", &[]),
    ("05-time-units/time_bracket_msec.csv", &[]),
    ("05-time-units/time_epoch_2dec.csv", &[]),
    ("05-time-units/time_epoch_s.csv", &[]),
    ("05-time-units/time_min.csv", &["stops: the unit `min`"]),
    ("05-time-units/time_ns_float.csv", &["error refused 1", "warning rounded_stamps 1"]),
    ("05-time-units/time_paren_ms.csv", &[]),
    ("05-time-units/time_plain_ms.csv", &[]),
    ("05-time-units/time_plain_ns.csv", &[]),
    ("05-time-units/time_plain_us.csv", &[]),
    ("05-time-units/time_us_int.csv", &[]),
    ("05-time-units/timestamp_ms.csv", &[]),
    ("07-libfranka-duplicate-headers/franka.csv", &["stops: the name twice, in columns 10 and 24"]),
    ("08-joint-order/run0.csv", &["note too_few_frames 1"]),
    ("08-joint-order/run7_reordered.csv", &["note too_few_frames 1"]),
    ("09-wrap/deg_nounit.csv", &["warning wrap base_yaw 1", "note degrees_for_radians elbow 1"]),
    ("09-wrap/deg_paren.csv", &["warning wrap base_yaw 1"]),
    ("09-wrap/deg_unit.csv", &["warning wrap base_yaw 1"]),
    ("09-wrap/ep0.csv", &["warning wrap base_yaw 4", "note degrees_for_radians elbow 1"]),
    ("09-wrap/ep2.csv", &["warning wrap base_yaw 4", "note degrees_for_radians elbow 1"]),
    ("09-wrap/rad_nounit.csv", &["warning wrap base_yaw 1"]),
    ("09-wrap/ticks.csv", &["warning wrap wrist_roll 2"]),
    (
        "10-lerobot-to-csv/dataset.csv",
        &["warning too_few_frames 1", "note copy action[0] 1", "note copy action[1] 1", "note copy action[2] 1"],
    ),
    ("10-lerobot-to-csv/expanded.csv", &[]),
    ("11-long-form/joint_states_converted.csv", &["note too_few_frames 1"]),
    ("12_low_resolution.csv.gz", &["error refused 1", "warning rounded_stamps 1"]),
    ("12_repeated_row.csv.gz", &["error refused 1", "warning duplicated_row 2"]),
    ("12_repeated_stamp.csv.gz", &["error refused 1", "warning repeated_stamp 4"]),
    ("14_joint_states.csv.gz", &["error refused 1", "warning two_publishers 100", "warning jitter 1"]),
    (
        "15-deg-rad/today_deg_nounit.csv",
        &["note degrees_for_radians q1 1", "note degrees_for_radians q2 1", "note degrees_for_radians q3 1"],
    ),
    ("15-deg-rad/today_deg_unit.csv", &[]),
    ("15-deg-rad/today_mixed_deg.csv", &["note degrees_for_radians q2 1"]),
    ("15-deg-rad/today_rad.csv", &[]),
    ("15-deg-rad/today_rad_nounit.csv", &[]),
    ("16-iso-time/date_time.csv", &[]),
    ("16-iso-time/iso.csv", &[]),
    ("16-iso-time/iso_z.csv", &[]),
    ("16-iso-time/space.csv", &[]),
    ("17-resample-jitter/2997.csv", &[]),
    ("17-resample-jitter/30hz_2dec.csv", &["note rounded_stamps 1"]),
    ("17-resample-jitter/30hz_3dec.csv", &[]),
    ("17-resample-jitter/alternating.csv", &["warning jitter 1"]),
    ("17-resample-jitter/batch3.csv", &["error refused 1", "warning jitter 1"]),
    ("17-resample-jitter/clean_100.csv", &[]),
    ("17-resample-jitter/drift.csv", &[]),
    ("17-resample-jitter/dropped2pct.csv", &["error refused 1", "warning dropped_rows 2"]),
    ("17-resample-jitter/epoch_f32ish.csv", &["error refused 1", "warning rounded_stamps 1"]),
    ("17-resample-jitter/epoch_ms.csv", &[]),
    ("17-resample-jitter/every3rd_missing.csv", &["warning dropped_rows 99"]),
    ("17-resample-jitter/jit20pct.csv", &["error refused 1", "warning jitter 1"]),
    ("17-resample-jitter/jit5pct.csv", &["note jitter 1"]),
    ("17-resample-jitter/offset.csv", &[]),
    ("17-resample-jitter/ur_jitter.csv", &["error refused 1", "warning dropped_rows 2", "warning jitter 1"]),
    ("18-power-cut/cut_f.csv", &["note too_few_frames 1", "note constant sample 1"]),
    ("18-power-cut/cut_in_field2.csv", &["note too_few_frames 1"]),
    ("18-power-cut/cut_in_last_value.csv", &["note too_few_frames 1"]),
    ("18-power-cut/cut_time.csv", &["note too_few_frames 1"]),
    ("18-power-cut/nul_in_last.csv", &["note too_few_frames 1"]),
    ("18-power-cut/nul_tail.csv", &[]),
    ("18-power-cut/whole.csv", &[]),
    ("18-power-cut/whole_f.csv", &["note too_few_frames 1", "note constant sample 1"]),
    ("22-encodings/cr_only.csv", &[]),
    ("22-encodings/latin1.csv", &["stops: the byte 0xb0, which is not UTF-8 (in Latin-1 it is `°`)"]),
    ("22-encodings/unicode_names.csv", &[]),
    ("22-encodings/utf16_powershell.csv", &[]),
    ("22-encodings/utf8.csv", &[]),
    ("22-encodings/utf8_bom_crlf.csv", &[]),
    ("23-channel-counts/allconst/ep0.csv", &["note constant q1 1", "note constant q2 1"]),
    ("23-channel-counts/c1/ep0.csv", &[]),
    ("23-channel-counts/c200.csv", &["note too_few_frames 1"]),
    ("23-channel-counts/constant/ep0.csv", &["note constant estop 1", "note constant mode 1"]),
    ("23-channel-counts/estop_fires.csv.gz", &["note constant mode 1"]),
    ("24-rate-mismatch/extra_channel.csv", &[]),
    ("24-rate-mismatch/log45.csv", &[]),
    ("24-rate-mismatch/log50.4.csv", &[]),
    ("24-rate-mismatch/log500.csv", &[]),
    ("24-rate-mismatch/log500_vib49.csv", &[]),
    ("24-rate-mismatch/log8.csv", &[]),
    ("24-rate-mismatch/missing_channel.csv", &[]),
    ("24-rate-mismatch/one_row.csv", &["note too_few_frames 1"]),
    ("24-rate-mismatch/short12.csv", &["note too_few_frames 1"]),
    ("24-rate-mismatch/swapped_columns.csv", &[]),
    ("25-missing-tokens/NA.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/NULL.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/N_A.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/None.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    (
        "25-missing-tokens/bool.csv",
        &["error refused estop 1", "warning missing_values estop 20", "note too_few_frames 1"],
    ),
    ("25-missing-tokens/dash.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/excel.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/inf.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/minus9999.csv", &["warning spike q1 2"]),
    ("25-missing-tokens/nan_ind.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/neg_nan.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/null.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/qnan.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/quote.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("25-missing-tokens/space.csv", &["error refused q1 1", "warning missing_values q1 2"]),
    ("27-packed/cut.csv.gz", &["stops: a damaged gzip file"]),
    ("27-packed/log.csv", &[]),
    ("27-packed/log2.csv.gz", &[]),
    ("27-packed/log3.csv.zst", &[]),
    ("33-odds/decimal_comma_quoted.csv", &[]),
    ("33-odds/german_thousands.csv", &["stops: `1.503`, a dot in a log of decimal commas"]),
    ("33-odds/ms_1hz.csv", &[]),
    ("33-odds/nested/day1/run.csv", &["note too_few_frames 1"]),
    ("33-odds/nested/day2/run.csv", &["note too_few_frames 1"]),
    ("33-odds/tuple_names.csv", &["note copy right.q1 1"]),
];

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, into),
            false if path.ends_with(".gitattributes") => {}
            false => into.push(path),
        }
    }
}

fn found(path: &Path) -> Vec<String> {
    let options = ReadOptions::default();
    let read = Recording::read(&[path], &options);
    let inspection = match inspect(&[path], &options) {
        Ok(inspection) => inspection,
        Err(Error::Log { found, .. }) => {
            assert!(read.is_err(), "{}", path.display());
            return vec![format!("stops: {found}")];
        }
        Err(other) => panic!("{other}"),
    };
    let text = inspection.to_string();
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
    // The rate is that of training, and what reading refuses is told.
    let refused = inspection.findings.iter().any(|f| f.kind.name() == "refused");
    match read {
        Ok(log) => assert_eq!(log.rate_hz().ok(), inspection.groups[0].rate_hz, "{}", path.display()),
        Err(error) => assert!(refused, "{error}"),
    }
    let one = |f: &ebmotion_logs::LogFinding| {
        let channel = f.channel.iter().map(|c| format!(" {c}")).collect::<String>();
        format!("{} {}{channel} {}", f.severity.name(), f.kind, f.count)
    };
    inspection.findings.iter().map(one).collect()
}

#[test]
fn every_case_is_told_as_it_is() {
    let folder = kept("cases");
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    paths.sort();
    let name = |path: &PathBuf| path.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/");
    let all: Vec<(String, Vec<String>)> = paths.iter().map(|path| (name(path), found(path))).collect();
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, CASES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "every file has a row");
    for ((name, found), (_, expected)) in all.iter().zip(CASES) {
        let stops = |found: &String, expected: &&str| expected.starts_with("stops") && found.starts_with(expected);
        let same = found.len() == expected.len()
            && found.iter().zip(*expected).all(|(found, expected)| found == expected || stops(found, expected));
        assert!(same, "{name}: {found:#?}");
    }
}
