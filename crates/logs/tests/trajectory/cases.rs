//! Text logs as users have them (`tests/data/logs/cases`): the right values, or the setting that decides.

use crate::{kept, log_error, read};
use ebmotion_logs::{Fill, Frames, OnGap, ReadOptions, Recording, TimeUnit, inspect};
use std::f64::consts::TAU;

pub fn case(path: &str, options: &ReadOptions) -> Recording {
    Recording::read(&[kept("cases").join(path)], options).unwrap()
}

#[track_caller]
pub fn refused(path: &str, options: &ReadOptions) -> String {
    Recording::read(&[kept("cases").join(path)], options).unwrap_err().to_string()
}

pub fn names(log: &Recording) -> Vec<&str> {
    log.channels.iter().map(|c| c.name.as_str()).collect()
}

pub fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Cells of a case's rows, without its header.
fn cells(path: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(kept("cases").join(path)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(Into::into).collect()).collect()
}

fn number(cell: &str) -> f64 {
    cell.parse().unwrap()
}

/// The numbers of some columns, row by row.
pub fn columns(path: &str, columns: std::ops::Range<usize>) -> Vec<f64> {
    cells(path).iter().flat_map(|row| row[columns.clone()].iter().map(|c| number(c)).collect::<Vec<_>>()).collect()
}

#[track_caller]
pub fn noted(log: &Recording, parts: &[&str]) {
    for part in parts {
        assert!(log.notes.iter().any(|note| note.contains(part)), "{part}: {:#?}", log.notes);
    }
}

const SPARSE: &str = "01-plotjuggler-sparse/export.csv";

#[test]
fn rows_of_several_rates_are_taken_apart_or_joined_as_is_said() {
    let rows = cells(SPARSE);
    let (arm, gripper): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row[3].is_empty());
    let of_arm: Vec<f64> = arm.iter().flat_map(|row| [number(&row[1]), number(&row[2])]).collect();
    let options = ReadOptions { channels: Some(list(&["/joint_states/*"])), ..Default::default() };
    let log = case(SPARSE, &options);
    assert_eq!((log.episodes[0].values.to_vec(), log.rate_hz().unwrap()), (of_arm, 100.0));
    noted(&log, &["30 rows hold none of the chosen channels", "nanoseconds since 1970", "`timestamp`"]);
    let log = case(SPARSE, &ReadOptions { ignore: list(&["/joint*"]), ..Default::default() });
    assert_eq!(log.episodes[0].values, gripper.iter().map(|row| number(&row[3])).collect::<Vec<_>>());
    assert_eq!(log.rate_hz().unwrap(), 25.0);

    let error = refused(SPARSE, &ReadOptions::default());
    for part in ["of 150 rows 120 hold `/joint_states/arm_1/position` and 30 hold `/gripper/position`", "fill = last"] {
        assert!(error.contains(part), "{error}");
    }
    // The gripper comes 3.1 ms after the first row of the arm, then every 40 ms; the arm every 10 ms.
    let gripper: Vec<f64> = gripper.iter().map(|row| number(&row[3])).collect();
    let last = case(SPARSE, &ReadOptions { fill: Some(Fill::Last), ..Default::default() });
    assert_eq!(last.rate_hz().unwrap(), 100.0);
    let e = &last.episodes[0];
    for (k, row) in e.values.chunks_exact(3).enumerate() {
        assert_eq!(row, [number(&arm[k + 1][1]), number(&arm[k + 1][2]), gripper[k / 4]], "{k}");
    }
    assert_eq!(e.time_secs.len(), 119);
    let linear = case(SPARSE, &ReadOptions { fill: Some(Fill::Linear), ..Default::default() });
    for (k, row) in linear.episodes[0].values.chunks_exact(3).enumerate() {
        let share = (((k % 4) as f64 + 1.0) * 10.0 - 3.1) / 40.0;
        let expected = gripper[k / 4] + share * (gripper[k / 4 + 1] - gripper[k / 4]);
        // Stamps since 1970 are kept to 2.4e-7 s, of 0.04 s.
        assert!((row[2] - expected).abs() < 2e-5 * (gripper[k / 4 + 1] - gripper[k / 4]).abs() + 1e-12, "{k}");
    }
    noted(&linear, &["of 150 that hold `/joint_states/arm_1/position`", "the line between their values"]);
}

#[test]
fn words_for_missing_values_make_a_log_of_several_rates_too() {
    let text = std::fs::read_to_string(kept("cases").join(SPARSE)).unwrap();
    let words = text.replace(",,,", ",nan,NaN,").replace(",\n", ",NA\n");
    let fill = |fill| ReadOptions { fill, ..Default::default() };
    for how in [Some(Fill::Last), Some(Fill::Linear)] {
        let (plain, worded) = (read(&text, &fill(how)).unwrap(), read(&words, &fill(how)).unwrap());
        assert_eq!(plain.episodes, worded.episodes);
    }
    let one = ReadOptions { channels: Some(list(&["/grip*"])), ..Default::default() };
    assert_eq!(read(&text, &one).unwrap().episodes, read(&words, &one).unwrap().episodes);
    assert!(log_error(read(&words, &fill(None))).2.contains("channels of several rates"));
}

#[test]
fn a_slow_channel_that_stops_is_not_carried_on() {
    let mut text = String::from("time,fast,slow\n");
    for k in 0..100 {
        text += &format!("{},{k}.5,\n", f64::from(k) * 0.01);
        if k % 4 == 0 && !(40..60).contains(&k) {
            text += &format!("{},,{k}.25\n", f64::from(k) * 0.01 + 0.002);
        }
    }
    for fill in [Fill::Last, Fill::Linear] {
        let options = ReadOptions { fill: Some(fill), ..Default::default() };
        let error = log_error(read(&text, &options));
        assert!(error.1.as_deref() == Some("slow") && error.2.contains("empty cell"), "{error:?}");
        let log = read(&text, &ReadOptions { on_gap: OnGap::Split, ..options }).unwrap();
        assert_eq!(log.episodes.len(), 2, "{fill:?}");
        assert!(log.episodes[0].time_secs.last().unwrap() < &0.45 && log.episodes[1].time_secs[0] > 0.59);
    }
}

#[test]
fn rostopic_names_joints_in_cells() {
    let (a, b) = (kept("cases/02-rostopic-echo-p/run0.csv"), kept("cases/02-rostopic-echo-p/run1.csv"));
    let log = Recording::read(&[&a, &b], &ReadOptions::default()).unwrap();
    let joints = ["elbow_joint", "shoulder_lift_joint", "shoulder_pan_joint"];
    let expected: Vec<String> =
        ["", ".effort"].iter().flat_map(|kind| joints.map(|joint| format!("{joint}{kind}"))).collect();
    assert_eq!(names(&log), expected);
    let values = |run: &str| -> Vec<f64> {
        let of_row = |row: &Vec<String>| [7, 8, 9, 13, 14, 15].map(|i: usize| number(&row[i]));
        cells(&format!("02-rostopic-echo-p/{run}.csv")).iter().flat_map(of_row).collect()
    };
    assert_eq!(log.episodes[0].values, values("run0"));
    assert_eq!(log.episodes[1].values, values("run1"));
    assert!((log.episodes[0].time_secs[0] - 1_423_155_837.205_110_5).abs() < 1e-6);
    noted(&log, &["`%time`", "field.header.seq", "field.header.stamp", "elbow_joint.velocity"]);

    // The same joints in another order, from a row on and in another file.
    let swapped = |from: usize| -> String {
        let text = std::fs::read_to_string(&a).unwrap();
        let swap = |line: &str| {
            let mut cells: Vec<&str> = line.split(',').collect();
            [(4, 6), (7, 9), (10, 12), (13, 15)].iter().for_each(|(i, j)| cells.swap(*i, *j));
            cells.join(",")
        };
        let lines = text.lines().enumerate().map(|(k, l)| if k > from { swap(l) } else { l.into() } + "\n");
        lines.collect()
    };
    for from in [0, 20] {
        let other = Recording::from_memory(
            &[("run1.csv", &std::fs::read(&b).unwrap()), ("run0.csv", swapped(from).as_bytes())],
            &ReadOptions::default(),
        );
        assert_eq!(other.unwrap().episodes[1].values, values("run0"), "{from}");
    }
}

#[test]
fn seconds_and_nanoseconds_are_one_time() {
    for time_column in [None, Some("header.stamp.sec+header.stamp.nanosec"), Some("header.stamp.sec")] {
        let options = ReadOptions { time_column: time_column.map(Into::into), ..Default::default() };
        let log = case("04-sec-nanosec/js.csv", &options);
        assert_eq!((names(&log), log.rate_hz().unwrap()), (vec!["position[0]", "position[1]"], 50.0));
        assert_eq!(log.episodes[0].values, columns("04-sec-nanosec/js.csv", 2..4));
        for (time, row) in log.episodes[0].time_secs.iter().zip(cells("04-sec-nanosec/js.csv")) {
            assert!((time - number(&row[0]) - 1e-9 * number(&row[1])).abs() < 3e-7);
        }
    }
}

#[test]
fn names_that_stand_twice_matter_where_they_are_used() {
    let path = "07-libfranka-duplicate-headers/franka.csv";
    let ms = ReadOptions { time_unit: Some(TimeUnit::Ms), ..Default::default() };
    let error = refused(path, &ms);
    assert!(
        error.contains("`q_d[0]`: found the name twice, in columns 10 and 24") && error.contains("q_d[0].1"),
        "{error}"
    );
    let log = case(path, &ReadOptions { ignore: list(&["q_d*", "success*"]), ..ms.clone() });
    assert_eq!((log.channels.len(), log.rate_hz().unwrap()), (14, 1000.0));
    assert_eq!(case(path, &ReadOptions { channels: Some(list(&["q[*"])), ..ms.clone() }).channels.len(), 7);
    assert_eq!(case(path, &ReadOptions { ignore: list(&["*.1"]), ..ms.clone() }).channels.len(), 22);
    let log = case(path, &ReadOptions { channels: Some(list(&["q_d*"])), ..ms.clone() });
    assert_eq!(log.channels.len(), 14);
    noted(&log, &["`q_d[0].1` is column 24"]);
    let log = case(path, &ReadOptions { channels: Some(list(&["q_d[0].1"])), ..ms });
    assert_eq!(log.episodes[0].values, columns(path, 23..24));
}

#[test]
fn files_are_matched_by_name() {
    let paths = ["run0.csv", "run7_reordered.csv"].map(|name| kept("cases/08-joint-order").join(name));
    let log = Recording::read(&paths, &ReadOptions::default()).unwrap();
    assert_eq!(names(&log), ["shoulder_pan_joint", "shoulder_lift_joint", "elbow_joint", "wrist_1_joint"]);
    let rows = cells("08-joint-order/run7_reordered.csv");
    let expected: Vec<f64> = rows.iter().flat_map(|r| [3, 2, 1, 4].map(|i: usize| number(&r[i]))).collect();
    assert_eq!(log.episodes[1].values, expected);
    noted(&log, &["run7_reordered.csv: the channels stand in another order"]);
    assert_eq!(inspect(&paths, &ReadOptions::default()).unwrap().groups.len(), 1);
}

#[test]
fn an_angle_wraps_with_the_period_that_is_said_or_seen() {
    let wrap = |text: &str| ReadOptions { wrap: list(&[text]), ..Default::default() };
    let paths = ["ep0.csv", "ep2.csv"].map(|name| kept("cases/09-wrap").join(name));
    let log = Recording::read(&paths, &wrap("base_yaw")).unwrap();
    assert_eq!((log.channels[0].period, log.channels[1].period), (Some(360.0), None));
    noted(&log, &["`base_yaw` has no unit and jumps", "by nearly 360"]);
    // Nothing is lost at a wrap: 6.6 s at about 200 degrees a second, 25 turns in six files.
    let frames = Frames::resample(&log, None, 0.02).unwrap();
    let steps = frames.episodes[0].values.chunks_exact(2).map(|row| row[0]).collect::<Vec<_>>();
    assert!(steps.windows(2).all(|w| (w[1] - w[0]).abs() < 12.0) && (steps[199] - steps[0]).abs() > 1000.0);
    assert_eq!(case("09-wrap/rad_nounit.csv", &wrap("base_yaw")).channels[0].period, Some(TAU));
    assert_eq!(case("09-wrap/ticks.csv", &wrap("wrist_roll=4096")).channels[0].period, Some(4096.0));
    assert_eq!(inspect(&paths, &wrap("base_yaw")).unwrap().groups[0].channels[0].channel.period, Some(360.0));
    for (path, name) in [("09-wrap/ticks.csv", "wrist_roll"), ("09-wrap/ep0.csv", "elbow")] {
        let error = refused(path, &wrap(name));
        assert!(error.contains(&format!("`wrap = {name}=360`")) && error.contains("no unit"), "{error}");
    }
    let said = wrap("base_yaw").with_periods(&log.channels);
    assert_eq!(said.wrap, ["base_yaw=360"]);
}

#[test]
fn a_table_of_lerobot_is_read() {
    for (path, channels) in [("dataset", 6), ("expanded", 3)] {
        let log = case(&format!("10-lerobot-to-csv/{path}.csv"), &ReadOptions::default());
        assert_eq!((log.channels.len(), log.episodes.len(), log.rate_hz().unwrap()), (channels, 3, 30.0));
        assert_eq!(log.episodes[2].time_secs[1], 0.033333335);
        assert_eq!(log.episodes[0].values[..3], [0.5910488, -0.10563225, 0.8499596]);
        noted(&log, &["`frame_index`, `task_index`", "`index` counts the rows", "`episode_index` is an episode"]);
        assert_eq!(log.episodes[0].id, format!("{path}/0"));
    }
    let log = case("10-lerobot-to-csv/dataset.csv", &ReadOptions::default());
    assert_eq!(names(&log)[2..4], ["observation.state[2]", "action[0]"]);
    // A column's name stands for all items of its lists; what is left out may be named.
    for (channels, ignore, left) in [
        (None, &["action", "task_index"][..], "observation.state"),
        (Some(list(&["action"])), &[], "action"),
        (None, &["observation*", "timestamp"], "action"),
    ] {
        let options = ReadOptions { channels, ignore: list(ignore), ..Default::default() };
        if ignore.contains(&"timestamp") {
            assert!(refused("10-lerobot-to-csv/dataset.csv", &options).contains("`timestamp`"));
            continue;
        }
        let expected: Vec<String> = (0..3).map(|k| format!("{left}[{k}]")).collect();
        assert_eq!(names(&case("10-lerobot-to-csv/dataset.csv", &options)), expected);
    }
    let asked = ReadOptions { channels: Some(list(&["action[1]", "frame_index"])), ..Default::default() };
    let log = case("10-lerobot-to-csv/dataset.csv", &asked);
    assert_eq!(log.episodes[0].values[..4], [-0.09563226, 0.0, -0.1443099, 1.0]);
}

#[test]
fn the_long_form_is_put_together() {
    let path = "11-long-form/joint_states_converted.csv";
    let values: Vec<f64> = columns(path, 2..3);
    for options in [ReadOptions::default(), ReadOptions { pivot: Some("joint".into()), ..Default::default() }] {
        let log = case(path, &options);
        assert_eq!(names(&log), ["joint1", "joint2", "joint3"]);
        assert_eq!((log.episodes[0].values.to_vec(), log.rate_hz().unwrap()), (values.clone(), 100.0));
        noted(&log, &["named in `joint`", "`time_s` are seconds"]);
    }
    let one = ReadOptions { channels: Some(list(&["joint2"])), ..Default::default() };
    assert_eq!(case(path, &one).episodes[0].values, values.iter().skip(1).step_by(3).copied().collect::<Vec<_>>());

    let log = read(
        "t [s],key,value\n0,a,1\n0,b,2\n0.1,b,4\n0.1,a,3\n",
        &ReadOptions { time_column: Some("t".into()), ..Default::default() },
    );
    assert_eq!(log.unwrap().episodes[0].values, [1.0, 2.0, 3.0, 4.0]);
    let each: String = (0..300).map(|k| format!("{k}.5,key{k},1\n")).collect();
    let pivot = ReadOptions { pivot: Some("key".into()), ..Default::default() };
    let error = log_error(read(&format!("time,key,value\n{each}"), &pivot));
    assert!(error.2.contains("300 names at 300 times in 300 rows"), "{error:?}");
    let error = log_error(read("time,joint,value\n0,a,1\n0,b,2\n0.1,a,3\n0.1,a,4\n", &ReadOptions::default()));
    assert!(error.0 == Some(5) && error.2.contains("`a` twice at the same time"), "{error:?}");
    let error = log_error(read("time,joint,value\n0,a,1\n0,b,2\n0.1,a,3\n0.2,a,4\n0.2,b,5\n", &ReadOptions::default()));
    assert!(error.0 == Some(4) && error.1.as_deref() == Some("b") && error.2.contains("empty cell"), "{error:?}");
}

#[test]
fn dates_are_stamps() {
    for (path, zone) in [("date_time", true), ("iso", true), ("iso_z", false), ("space", true)] {
        let log = case(&format!("16-iso-time/{path}.csv"), &ReadOptions::default());
        assert_eq!((log.rate_hz().unwrap(), log.channels.len()), (50.0, 2), "{path}");
        // date -u -d '2025-04-17 17:00:08' +%s
        assert_eq!(log.episodes[0].time_secs[0], 1_744_909_208.0);
        assert_eq!(log.notes.iter().any(|note| note.contains("taken as UTC")), zone, "{path}");
    }
    let log = read("Time,x\n23:59:59.5,1\n23:59:59.75,2\n", &ReadOptions::default()).unwrap();
    assert_eq!(log.episodes[0].time_secs, [86_399.5, 86_399.75]);
}

#[test]
fn what_a_power_cut_leaves_is_read_to_the_last_whole_row() {
    let whole = case("18-power-cut/whole.csv", &ReadOptions::default());
    let values = &whole.episodes[0].values;
    for (path, rows, note) in [
        ("cut_in_field2", 39, "line 41: the last row has no end"),
        ("cut_in_last_value", 39, "line 41: the last row has no end"),
        ("cut_time", 39, "line 41: the last row has no end"),
        ("nul_in_last", 39, "64 bytes of value 0 at the end"),
        ("nul_tail", 40, "512 bytes of value 0 at the end"),
    ] {
        let log = case(&format!("18-power-cut/{path}.csv"), &ReadOptions::default());
        assert_eq!(log.episodes[0].values, values[..3 * rows], "{path}");
        noted(&log, &[note]);
        assert_eq!(log.notes.iter().any(|n| n.contains("has no end")), rows == 39, "{path}");
    }
    assert_eq!(values.len(), 120);
}

#[test]
fn encodings_are_read_or_named() {
    let expected = case("22-encodings/utf8_bom_crlf.csv", &ReadOptions::default());
    assert_eq!(expected.channels[0].unit.as_deref(), Some("°"));
    for path in ["cr_only", "unicode_names", "utf16_powershell", "utf8"] {
        let log = case(&format!("22-encodings/{path}.csv"), &ReadOptions::default());
        assert_eq!(log.episodes[0].values, expected.episodes[0].values, "{path}");
        assert_eq!(log.channels == expected.channels, path != "unicode_names", "{path}");
    }
    let error = refused("22-encodings/latin1.csv", &ReadOptions::default());
    assert!(
        error.contains("line 1, column `2`") && error.contains("0xb0") && error.contains("Latin-1 it is `°`"),
        "{error}"
    );
}

#[test]
fn words_for_missing_values_are_no_numbers() {
    let split = ReadOptions { on_gap: OnGap::Split, ..Default::default() };
    for path in
        ["NA", "NULL", "N_A", "None", "dash", "excel", "inf", "nan_ind", "neg_nan", "null", "qnan", "quote", "space"]
    {
        let path = format!("25-missing-tokens/{path}.csv");
        let error = refused(&path, &ReadOptions::default());
        assert!(error.contains("line 22, column `q1`") && error.contains("on_gap = split"), "{error}");
        let log = case(&path, &split);
        assert_eq!(log.episodes.iter().map(|e| e.time_secs.len()).collect::<Vec<_>>(), [20, 18], "{path}");
    }
    let sentinel = "25-missing-tokens/minus9999.csv";
    assert!(case(sentinel, &split).episodes[0].values.contains(&-9999.0));
    for word in ["-9999", "-9999.0"] {
        let log = case(sentinel, &ReadOptions { missing: list(&[word]), ..split.clone() });
        assert_eq!(log.episodes.len(), 2);
        assert!(log.episodes.iter().all(|e| e.values.iter().all(|v| *v > -2.0)));
    }
    // A flag is no motion: text, whatever stands in it.
    let error = refused("25-missing-tokens/bool.csv", &split);
    assert!(error.contains("`False`") && error.contains("ignore = estop"), "{error}");
}

#[test]
fn packed_files_are_read() {
    let plain = case("27-packed/log.csv", &ReadOptions::default());
    let zstd = case("27-packed/log3.csv.zst", &ReadOptions::default());
    assert_eq!((zstd.episodes[0].id.as_str(), &zstd.episodes[0].values), ("log3", &plain.episodes[0].values));
    assert_eq!(
        case("27-packed/log2.csv.gz", &ReadOptions::default()).episodes[0].values[..600],
        *plain.episodes[0].values
    );
    let error = refused("27-packed/cut.csv.gz", &ReadOptions::default());
    assert!(error.contains("a damaged gzip file"), "{error}");
    // Frames one after the other, one to be skipped between them; cut anywhere it is refused.
    let frame = std::fs::read(kept("cases/27-packed/log3.csv.zst")).unwrap();
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let read = |bytes: &[u8]| Recording::from_bytes("log.csv.zst", bytes, &ReadOptions::default());
    assert_eq!(read(&[&skipped[..], &frame].concat()).unwrap().episodes[0].values, plain.episodes[0].values);
    for cut in [5, 100, frame.len() / 2, frame.len() - 1] {
        let error = read(&frame[..cut]).unwrap_err().to_string();
        assert!(error.contains("a damaged zstd file"), "{error}");
    }
    assert!(read(b"time,x\n0,1\n").unwrap_err().to_string().contains("no zstd file"));
}

#[test]
fn a_number_is_never_another_one() {
    let error = refused("33-odds/german_thousands.csv", &ReadOptions::default());
    assert!(error.contains("line 2, column `pos_ticks`: found `1.503`, a dot in a log of decimal commas"), "{error}");
    let log = case("33-odds/decimal_comma_quoted.csv", &ReadOptions::default());
    assert_eq!((log.rate_hz().unwrap(), log.episodes[0].values[0]), (50.0, 0.08617048621921573));
    let log = case("33-odds/tuple_names.csv", &ReadOptions { ignore: list(&["left.q2"]), ..Default::default() });
    assert_eq!(names(&log), ["left.q1", "right.q1"]);
    let log = case("33-odds/ms_1hz.csv", &ReadOptions::default());
    assert_eq!((log.rate_hz().unwrap(), log.episodes[0].time_secs[0]), (1.0, 1_666_772_241.0));
    let log = case("33-odds/nested", &ReadOptions::default());
    assert_eq!(log.episodes.iter().map(|e| e.time_secs[0]).collect::<Vec<_>>(), [1.0, 2.0]);
    let error = log_error(read("time,x\n0,\"1,503\"\n0.5,\"1,506\"\n", &ReadOptions::default()));
    assert!(error.2.contains("`1,503`") && error.3.contains("a number"), "{error:?}");
}
