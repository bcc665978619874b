//! Every kind of bad log is refused with its line and column.

use crate::{log_at, log_error, read};
use ebmotion_logs::Error;
use ebmotion_logs::{OnGap, ReadOptions, Recording};
use std::io::Write;

fn split() -> ReadOptions {
    ReadOptions { on_gap: OnGap::Split, ..Default::default() }
}

/// One row per fault: what it is, the log, the line, the column, and parts of what was found and expected.
type Case = (&'static str, &'static str, Option<u64>, Option<&'static str>, &'static str, &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("no time column", "t,x\n0,1\n", Some(1), Some("time"), "only `t`, `x`", "time_column = NAME"),
    ("no channel", "time\n0\n", Some(1), None, "no channel", "at least one"),
    ("only time and episode", "time,episode\n0,1\n", Some(1), None, "no channel", "at least one"),
    ("duplicate column", "time,x,y,x\n0,1,2,3\n", Some(1), Some("x"), "columns 2 and 4", "once"),
    ("duplicate by unit", "time,x [m],x [mm]\n0,1,2\n", Some(1), Some("x"), "columns 2 and 3", "once"),
    ("empty header cell", "time,x,,y\n0,1,2,3\n", Some(1), Some("3"), "empty name", "a name"),
    ("no header", "0,1\n0.1,2\n", Some(1), None, "numbers in the first row", "header row"),
    ("empty file", "", Some(1), None, "an empty file", "header row"),
    ("blank lines only", "\n\n", Some(1), None, "an empty file", "header row"),
    ("header only", "time,x\n", Some(1), None, "no rows", "at least one row"),
    ("ragged, short", "time,x,y\n0,1,2\n0.1,1\n", Some(3), None, "2 fields", "3 fields"),
    ("ragged, long", "time,x\n0,1\n0.1,1\n0.2,1,2\n", Some(4), None, "3 fields", "2 fields"),
    ("ragged after blank lines", "time,x\n0,1\n\n\n0.1\n", Some(5), None, "1 fields", "2 fields"),
    ("ragged with CRLF", "time,x\r\n0,1\r\n0.1,1\r\n0.2\r\n", Some(4), None, "1 fields", "2 fields"),
    ("text", "time,x,on\n0,1,True\n", Some(2), Some("on"), "`True`", "ignore = on"),
    ("text in time", "time,x\n0,1\nsoon,2\n", Some(3), Some("time"), "`soon`", "a time"),
    ("empty cell", "time,x,y\n0,1,2\n0.1,,2\n", Some(3), Some("x"), "empty cell", "on_gap = split"),
    ("NaN", "time,x,y\n0,1,2\n0.1,3,nan\n", Some(3), Some("y"), "`nan`", "on_gap = split"),
    ("infinite", "time,x\n0,1\n0.1,-inf\n", Some(3), Some("x"), "`-inf`", "on_gap = split"),
    ("overflow", "time,x\n0,1e999\n", Some(2), Some("x"), "`1e999`", "on_gap = split"),
    ("NaN time", "time,x\n0,1\nnan,2\n", Some(3), Some("time"), "`nan`", "on_gap = split"),
    ("backwards", "time,x\n0,1\n0.2,1\n0.1,1\n", Some(4), Some("time"), "backwards", "later"),
    ("repeated", "time,x\n0,1\n0.1,1\n0.1,2\n", Some(4), Some("time"), "repeated", "later"),
    ("gap", "time,x\n0,1\n0.1,1\n0.2,1\n0.5,1\n0.6,1\n", Some(5), Some("time"), "3.00 typical steps", "on_gap = split"),
    ("time unit", "time [min],x\n0,1\n", Some(1), Some("time"), "`min`", "s, ms, us, ns"),
    ("again", "time,episode,x\n0,a,1\n0,b,1\n1,a,1\n", Some(4), Some("episode"), "began at line 2", "one after"),
    ("episode empty", "time,episode,x\n0,a,1\n1,,1\n", Some(3), Some("episode"), "empty cell", "episode"),
    ("two delimiters", "time,x;y\n0,1;2\n0,1;2\n", Some(1), None, "with `;` and with `,`", "delimiter = CHARACTER"),
    ("no header, dates", "2025-04-17 17:00:08,1\n", Some(1), None, "numbers in the first row", "header = NAMES"),
    ("two headers", "time,left,left\n,q1,q2\n0,1,2\n", Some(2), None, "a second row of names", "one header row"),
    ("open quote", "time,x\n0,1\n1,\"2\n2,3\n3,4\n", Some(3), None, "a quote that is not closed", "a closing quote"),
    ("text after a quote", "time,x\n0,\"1\"2\n", Some(2), None, "text after a closing quote", "delimiter"),
    ("first stamp", "time,x\nsoon,1\n0,1\n", Some(2), Some("time"), "`soon`", "2025-04-17T17:00:08"),
    ("mixed stamps", "time,x\n2025-04-17 17:00:08,1\n2025-04-17T17:00:09Z,2\n", Some(3), Some("time"), "09Z", "a time"),
    ("two times", "timestamp,log_time,x\n0,0,1\n0.1,0.1,2\n", Some(1), None, "`timestamp`, `log_time`", "time_column"),
    ("no unit", "time,x\n0,1\n1000,1\n2000,1\n", Some(2), Some("time"), "0.001 Hz", "`time_unit = us`: 1000 Hz"),
    ("beyond measure", "time,x\n0,1\n1,2\n2,1e306\n3,1\n", Some(4), Some("x"), "`1e306`", "missing = 1e306"),
    ("nanoseconds", "sec,nanosec,x\n1,0,1\n1,2000000000,2\n", Some(3), Some("sec"), "`1 2000000000`", "a time"),
    ("lists of two lengths", "time,q\n0,[1 2]\n1,[1 2 3]\n", Some(3), Some("q"), "a list of 3", "2 as in the first"),
    ("text in a list", "time,q\n0,[1 2]\n1,[1 ...]\n", Some(3), Some("q[1]"), "`...`", "a number"),
    ("no list", "time,q\n0,[1 2]\n1,12\n", Some(3), Some("q"), "`12`", "a list of numbers"),
    ("thousands", "time;x\n0;1,503\n1;1,506\n", Some(2), None, "decimals or thousands", "decimal_comma = true"),
    ("a dot between commas", "t [s];x\n0,5;1\n", Some(1), Some("time"), "only `t`, `x`", "time_column = NAME"),
    ("joint unknown", "time,name0,name1,p0,p1\n0,a,b,1,2\n1,a,c,1,2\n", Some(3), Some("3"), "joint `c`", "one of `a`"),
    ("a joint twice", "time,name0,name1,p0,p1\n0,a,b,1,2\n1,a,a,1,2\n", Some(3), None, "`a` twice", "each joint once"),
];

#[test]
fn every_fault_is_refused_with_its_place() {
    for (what, text, line, column, found, expected) in CASES {
        let error = log_error(read(text, &ReadOptions::default()));
        assert_eq!((error.0, error.1.as_deref()), (*line, *column), "{what}: {error:?}");
        assert!(error.2.contains(found) && error.3.contains(expected), "{what}: {error:?}");
    }
}

#[test]
fn a_message_names_everything() {
    let message = read("time,x\n0,1\n0.1,oops\n", &ReadOptions::default()).unwrap_err().to_string();
    let expected = "log.csv, line 3, column `x`: found `oops`, expected a number (`ignore = x` leaves the column out)";
    assert_eq!(message, expected);
}

#[test]
fn splitting_mends_gaps_and_missing_values_and_nothing_else() {
    let mended = ["empty cell", "NaN", "infinite", "NaN time", "gap"];
    for (what, text, line, ..) in CASES {
        let result = read(text, &split());
        match (*what, mended.contains(what)) {
            // Its only row is left out.
            ("overflow", _) => assert!(log_error(result).2.contains("no row")),
            (_, true) => assert!(result.is_ok(), "{what}: {result:?}"),
            (_, false) => assert_eq!(log_error(result).0, *line, "{what}"),
        }
    }
}

#[test]
fn two_rates_are_refused_within_a_file_within_an_episode_and_across_files() {
    let episode =
        |name: &str, step: f64| -> String { (0..20).map(|k| format!("{},{name},1\n", f64::from(k) * step)).collect() };
    for options in [ReadOptions::default(), split()] {
        let text = format!("time,episode,x\n{}{}", episode("a", 0.04), episode("b", 0.02));
        let error = log_error(read(&text, &options));
        assert_eq!((error.0, error.1.as_deref()), (Some(22), Some("time")), "{error:?}");
        assert!(
            error.2.contains("`log/b`, 50.0") && error.3.contains("25.0") && error.3.contains("`log/a`"),
            "{error:?}"
        );

        // Thirty rows 40 ms apart, then nineteen 100 ms apart: the first of these stands in line 32.
        let times = (0..30).map(|k| 0.04 * f64::from(k)).chain((1..20).map(|k| 1.16 + 0.1 * f64::from(k)));
        let error = log_error(read(&log_at(times), &options));
        assert_eq!((error.0, error.1.as_deref()), (Some(32), Some("time")), "{error:?}");
        assert!(error.2.contains("another rate within an episode"), "{error:?}");
    }
    // 0.9 % apart is one rate, 1.1 % are two.
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&a, log_at((0..50).map(|k| 0.04 * f64::from(k)))).unwrap();
    std::fs::write(&b, log_at((0..50).map(|k| 0.04 * 1.009 * f64::from(k)))).unwrap();
    assert!(Recording::read(&[&a, &b], &ReadOptions::default()).is_ok());
    std::fs::write(&b, log_at((0..50).map(|k| 0.04 * 1.011 * f64::from(k)))).unwrap();
    let error = Recording::read(&[&a, &b], &ReadOptions::default()).unwrap_err();
    assert!(matches!(&error, Error::Log { path, line: Some(2), .. } if *path == b), "{error}");
}

#[test]
fn files_must_hold_the_same_channels() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&a, "time,x [rad],y\n0,1,2\n1,1,2\n").unwrap();
    for (header, column, found) in [
        ("time,x [rad],z", "z", "no channel `y`, and `z` instead"),
        ("time,x [deg],y", "x", "channel `x` with unit `deg`"),
        ("time,x [rad],y,z", "z", "channels that are not in"),
        ("time,x [rad]", "y", "no channel `y`"),
    ] {
        let cells = ["0,1,2,3", "1,1,2,4"]
            .map(|row| row.split(',').take(header.split(',').count()).collect::<Vec<_>>().join(","));
        std::fs::write(&b, format!("{header}\n{}\n{}\n", cells[0], cells[1])).unwrap();
        let error = Recording::read(&[&a, &b], &ReadOptions::default()).unwrap_err();
        let Error::Log { path, column: at, .. } = &error else { panic!("{error}") };
        assert_eq!((path, at.as_deref()), (&b, Some(column)));
        assert!(error.to_string().contains("a.csv") && error.to_string().contains(found), "{error}");
    }
}

#[test]
fn no_log_is_read_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&a, "time,x\n0,1\n1,1\n").unwrap();
    std::fs::copy(&a, &b).unwrap();
    let error = Recording::read(&[&a, &b], &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("the same contents as in") && error.contains("b.csv"), "{error}");
    // Packed it has other bytes, but the name gives it away.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"time,x\n0,1\n1,1\n").unwrap();
    let packed = folder.path().join("a.csv.gz");
    std::fs::write(&packed, gzip.finish().unwrap()).unwrap();
    let error = Recording::read(&[&a, &packed], &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("a.csv.gz: found a second episode"), "{error}");
}

#[test]
fn selections_that_fit_nothing_name_what_there_is() {
    let text = "time,x,y\n0,1,2\n";
    let names = |s: &str| vec![s.to_string()];
    for options in [
        ReadOptions { channels: Some(names("z")), ..Default::default() },
        ReadOptions { channels: Some(names("time")), ..Default::default() },
        ReadOptions { ignore: names("q_*"), ..Default::default() },
        ReadOptions { wrap: names("z"), ..Default::default() },
    ] {
        let error = log_error(read(text, &options));
        assert!(error.0 == Some(1) && error.3.contains("`x`, `y`"), "{error:?}");
    }
    let error = log_error(read(text, &ReadOptions { ignore: names("*"), ..Default::default() }));
    assert!(error.2.contains("no channel left"), "{error:?}");
    let error = log_error(read("time,x [m]\n0,1\n", &ReadOptions { wrap: names("x"), ..Default::default() }));
    assert!(error.1.as_deref() == Some("x") && error.2.contains("`m`"), "{error:?}");
    let error = log_error(read(text, &ReadOptions { episode_column: Some("run".into()), ..Default::default() }));
    assert!(error.1.as_deref() == Some("run"), "{error:?}");
}

#[test]
fn broken_files_are_refused() {
    let options = ReadOptions::default();
    let error = log_error(Recording::from_bytes("a.csv", b"time,x\n0,1\n0.1,\xff\n", &options));
    assert_eq!((error.0, error.1.as_deref()), (Some(3), Some("2")), "{error:?}");
    assert!(error.2.contains("0xff"), "{error:?}");

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"time,x\n0,1\n1,2\n").unwrap();
    let gzip = gzip.finish().unwrap();
    assert!(Recording::from_bytes("a.csv.gz", &gzip, &options).is_ok());
    for broken in [gzip[..gzip.len() - 9].to_vec(), {
        let mut g = gzip.clone();
        let i = g.len() - 6;
        g[i] ^= 1;
        g
    }] {
        let error = log_error(Recording::from_bytes("a.csv.gz", &broken, &options));
        assert!(error.2.contains("damaged gzip"), "{error:?}");
    }
    assert!(log_error(Recording::from_bytes("a.csv.gz", b"time,x\n0,1\n", &options)).2.contains("no gzip file"));
    assert!(Recording::from_bytes("a.xls", b"time,x\n0,1\n", &options).is_ok(), "told by what it holds");
    assert!(log_error(Recording::from_bytes("a.csv", b"\xd0\xcf\x11\xe0\0\0\0", &options)).2.contains("unknown kind"));

    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.csv");
    assert!(matches!(Recording::read(&[&absent], &options), Err(Error::Io { path, .. }) if path == absent));
    assert!(matches!(Recording::read(&[folder.path()], &options), Err(Error::Data { .. })));
    assert!(matches!(Recording::read(&[] as &[&str], &options), Err(Error::Data { .. })));
}

#[test]
fn options_out_of_range_are_refused() {
    for options in [
        ReadOptions { max_gap: 1.0, ..Default::default() },
        ReadOptions { max_gap: f64::NAN, ..Default::default() },
        ReadOptions { delimiter: Some('ä'), ..Default::default() },
        ReadOptions { decimal_comma: Some(true), ..Default::default() },
    ] {
        assert!(matches!(read("time,x\n0,1\n", &options), Err(Error::Config { .. })), "{options:?}");
    }
    assert!(serde_json::from_str::<ReadOptions>(r#"{"on_gap": "split", "max_gap": 2.0}"#).is_ok());
    assert!(serde_json::from_str::<ReadOptions>(r#"{"on_gaps": "split"}"#).is_err());
}
