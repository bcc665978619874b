//! One log in many dialects, and every prefix of it.

use crate::read;
use ebmotion_logs::{Error, ReadOptions, Recording};

/// The values of [`plain`] row by row, and its times.
fn truth(rows: usize) -> (Vec<f64>, Vec<f64>) {
    let value = |k: usize, c: usize| ((k * 37 + c * 11) % 200) as f64 / 100.0 - 1.0;
    let values = (0..rows).flat_map(|k| [value(k, 0), value(k, 1)]).collect();
    (values, (0..rows).map(|k| k as f64 / 50.0).collect())
}

/// The cells of the log: time, q1, q2.
fn rows(rows: usize) -> Vec<[String; 3]> {
    let (values, times) = truth(rows);
    (0..rows).map(|k| [times[k].to_string(), values[2 * k].to_string(), values[2 * k + 1].to_string()]).collect()
}

fn plain(delimiter: &str, end: &str, n: usize) -> String {
    let row = |cells: &[String; 3]| cells.join(delimiter) + end;
    ["time", "q1", "q2"].join(delimiter) + end + &rows(n).iter().map(row).collect::<String>()
}

fn names() -> ReadOptions {
    ReadOptions { header: Some(["time [s]", "q1", "q2"].map(Into::into).to_vec()), ..Default::default() }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each dialect")]
fn every_dialect_says_the_same() {
    let csv = plain(",", "\n", 60);
    let body = csv.split_once('\n').unwrap().1;
    let commas = plain(";", "\n", 60).replace('.', ",");
    let each = |f: &dyn Fn(usize, &str) -> String| -> String {
        csv.lines().enumerate().map(|(k, l)| f(k, l) + "\n").collect()
    };
    let auto = ReadOptions::default();
    let cases: Vec<(&str, String, ReadOptions)> = vec![
        ("commas", csv.clone(), auto.clone()),
        ("semicolons", plain(";", "\n", 60), auto.clone()),
        ("tabs", plain("\t", "\n", 60), auto.clone()),
        ("spaces", plain("  ", "\n", 60), auto.clone()),
        ("CRLF", plain(",", "\r\n", 60), auto.clone()),
        ("CR", plain(",", "\r", 60), auto.clone()),
        ("blank lines", plain(",", "\n\n", 60), auto.clone()),
        ("a byte order mark", format!("\u{feff}{csv}"), auto.clone()),
        ("decimal commas", commas.clone(), auto.clone()),
        (
            "decimal commas in quotes",
            each(&|k, l| {
                if k == 0 {
                    l.into()
                } else {
                    l.split(',').map(|c| format!("\"{}\"", c.replace('.', ","))).collect::<Vec<_>>().join(",")
                }
            }),
            auto.clone(),
        ),
        ("quotes", each(&|_, l| l.split(',').map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(",")), auto.clone()),
        ("spaces around", each(&|_, l| l.replace(',', " , ")), auto.clone()),
        ("a delimiter at the end", each(&|_, l| format!("{l},")), auto.clone()),
        (
            "a delimiter at the end of values",
            each(&|k, l| if k == 0 { l.into() } else { format!("{l},") }),
            auto.clone(),
        ),
        (
            "an index without a name",
            each(&|k, l| if k == 0 { format!(",{l}") } else { format!("{},{l}", k - 1) }),
            auto.clone(),
        ),
        ("an index", each(&|k, l| if k == 0 { format!("index,{l}") } else { format!("{},{l}", k + 5) }), auto.clone()),
        (
            "a column that counts",
            each(&|k, l| if k == 0 { format!("{l},whatever") } else { format!("{l},{}", k + 5) }),
            auto.clone(),
        ),
        (
            "an index of pandas",
            each(&|k, l| if k == 0 { format!("Unnamed: 0,{l}") } else { format!("{k},{l}") }),
            auto.clone(),
        ),
        ("units below", csv.replacen('\n', "\ns,-,-\n", 1), auto.clone()),
        ("units below in brackets", csv.replacen('\n', "\n[s],[rad],[rad]\n", 1), auto.clone()),
        ("comments", format!("# a log\n% of something, \"said\"\n{csv}# the end\n"), auto.clone()),
        ("comments between", csv.replace("\n0.5,", "\n# half a second\n0.5,"), auto.clone()),
        ("names in a comment", format!("# made by a tool\n#time,q1,q2\n{body}"), auto.clone()),
        ("names of rostopic", format!("%time,q1,q2\n{body}"), auto.clone()),
        ("Excel's mark", format!("sep=;\n{commas}"), auto.clone()),
        ("no header", body.into(), names()),
        ("a column without values", each(&|k, l| format!("{l},{}", if k == 0 { "dead" } else { "nan" })), auto.clone()),
        (
            "no times",
            csv.lines().map(|l| l.split_once(',').unwrap().1.to_string() + "\n").collect(),
            ReadOptions { hz: Some(50.0), ..auto.clone() },
        ),
        ("a delimiter that is said", plain("|", "\n", 60), ReadOptions { delimiter: Some('|'), ..auto.clone() }),
    ];
    let (values, times) = truth(60);
    for (what, text, options) in cases {
        let log = read(&text, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(log.channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["q1", "q2"], "{what}");
        assert_eq!((&log.episodes[0].values[..], &log.episodes[0].time_secs), (&values[..], &times), "{what}");
    }
    let unit = |text: &str| read(text, &ReadOptions::default()).unwrap().channels[0].unit.clone();
    assert_eq!(unit(&csv.replacen('\n', "\n[s],[rad],[rad]\n", 1)).as_deref(), Some("rad"));
}

#[test]
fn a_channel_is_not_taken_for_an_index() {
    let rows = |f: &dyn Fn(i32) -> f64| -> String {
        (0..60).map(|k| format!("{},{},{}\n", f64::from(k) / 50.0, f(k), k % 7)).collect()
    };
    // A finger called `index` that moves; ticks that run up evenly; the only channel there is.
    let finger =
        read(&format!("time,index,thumb\n{}", rows(&|k| f64::from(k).sin())), &ReadOptions::default()).unwrap();
    assert_eq!(finger.channels.len(), 2);
    let ticks = read(&format!("time,pos_ticks,q\n{}", rows(&|k| f64::from(3 * k))), &ReadOptions::default()).unwrap();
    assert_eq!(ticks.channels.len(), 2);
    let metres = read(&format!("time,x [m],q\n{}", rows(&f64::from)), &ReadOptions::default()).unwrap();
    assert_eq!(metres.channels.len(), 2);
    let counter = format!("time,n,q\n{}", rows(&f64::from));
    assert_eq!(read(&counter, &ReadOptions::default()).unwrap().channels.len(), 1);
    let asked = ReadOptions { channels: Some(["n", "q"].map(Into::into).to_vec()), ..Default::default() };
    assert_eq!(read(&counter, &asked).unwrap().channels.len(), 2);
    // What is left out already may be named as such.
    let ignored = ReadOptions { ignore: vec!["seq".into()], ..Default::default() };
    assert_eq!(read(&counter.replace(",n,", ",seq,"), &ignored).unwrap().channels.len(), 1);
}

/// A prefix is read to its last whole row, or refused.
fn check_prefixes(text: &[u8], options: &ReadOptions, least: usize) {
    let whole = Recording::from_bytes("log.csv", text, options).unwrap();
    let mut read = 0;
    for end in 0..text.len() {
        let part = match Recording::from_bytes("log.csv", &text[..end], options) {
            Ok(part) => part,
            Err(error @ (Error::Log { .. } | Error::Config { .. })) => {
                assert!(end < text.len() / 2, "{end} of {}: {error}", text.len());
                continue;
            }
            Err(other) => panic!("{end}: {other}"),
        };
        read += 1;
        let of_whole: Vec<Option<usize>> =
            part.channels.iter().map(|c| whole.channels.iter().position(|w| w == c)).collect();
        for (e, full) in part.episodes.iter().zip(&whole.episodes) {
            assert_eq!(e.time_secs, full.time_secs[..e.time_secs.len()], "{end}");
            let (width, full_width) = (part.channels.len(), whole.channels.len());
            for (row, full) in e.values.chunks_exact(width).zip(full.values.chunks_exact(full_width)) {
                for (value, place) in row.iter().zip(&of_whole) {
                    assert!(place.is_none_or(|place| full[place] == *value), "{end}");
                }
            }
        }
        let ends = matches!(text[end - 1], b'\n' | b'\r') || text[..end].ends_with(b"\n\0");
        assert_eq!(part.notes.iter().any(|note| note.contains("has no end")), !ends, "{end}");
    }
    assert!(read > least, "{read}");
}

#[test]
fn every_prefix_of_a_log_is_right_or_refused() {
    let csv = plain(",", "\n", 100);
    check_prefixes(csv.as_bytes(), &ReadOptions::default(), csv.len() - 40);
    let crlf = plain(";", "\r\n", 100).replace('.', ",");
    check_prefixes(crlf.as_bytes(), &ReadOptions::default(), crlf.len() - 40);
    let quoted: String = plain(",", "\n", 100).lines().map(|l| format!("\"{}\"\n", l.replace(',', "\",\""))).collect();
    check_prefixes(quoted.as_bytes(), &ReadOptions::default(), quoted.len() - 60);
    let header = csv.split_once('\n').unwrap().1;
    check_prefixes(header.as_bytes(), &names(), header.len() - 40);
    let zeros = [csv.as_bytes(), &[0; 20]].concat();
    let whole = Recording::from_bytes("log.csv", &zeros, &ReadOptions::default()).unwrap();
    assert_eq!(whole.episodes[0].values, truth(100).0);
    for name in
        ["10-lerobot-to-csv/expanded.csv", "11-long-form/joint_states_converted.csv", "02-rostopic-echo-p/run0.csv"]
    {
        let bytes = std::fs::read(crate::kept("cases").join(name)).unwrap();
        check_prefixes(
            &bytes,
            &ReadOptions { on_gap: ebmotion_logs::OnGap::Split, ..Default::default() },
            bytes.len() / 2,
        );
    }
}

/// What is not text, or text of any kind, is read or refused; nothing stops the program.
#[test]
#[expect(clippy::too_many_lines, reason = "one loop over files that are damaged in many ways")]
fn whatever_a_file_holds_is_read_or_refused() {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let pieces = [
        "time",
        "x",
        ",",
        ",",
        ";",
        "\t",
        "\n",
        "\n",
        "\r",
        "\"",
        "1",
        "0.5",
        "-",
        "nan",
        "[1 2]",
        "#",
        "%",
        " ",
        "\0",
        "é",
        "name0",
        "1e999",
        "a",
        "[",
        "]",
        "2025-04-17 17:00:08",
        "sec",
        "nanosec",
        "episode",
        "+",
        "(",
        ")",
        "'",
    ];
    let csv = plain(",", "\n", 30);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = match next(3) {
            0 => csv.clone().into_bytes(),
            1 => format!("time,{}\n", "abc,".repeat(next(4) as usize)).into_bytes(),
            _ => Vec::new(),
        };
        for _ in 0..next(40) {
            let at = next(bytes.len() as u64 + 1) as usize;
            let piece = pieces[next(pieces.len() as u64) as usize];
            bytes.splice(at..at, piece.bytes());
        }
        if next(8) == 0 && !bytes.is_empty() {
            let at = next(bytes.len() as u64) as usize;
            bytes[at] = next(256) as u8;
        }
        let options = ReadOptions {
            on_gap: if next(2) == 0 { ebmotion_logs::OnGap::Split } else { ebmotion_logs::OnGap::Error },
            fill: [None, Some(ebmotion_logs::Fill::Last), Some(ebmotion_logs::Fill::Linear)][next(3) as usize],
            hz: (next(4) == 0).then_some(10.0),
            pivot: (next(8) == 0).then(|| "x".into()),
            wrap: if next(4) == 0 { vec!["*".into()] } else { Vec::new() },
            ..Default::default()
        };
        if let Err(error) = Recording::from_bytes("log.csv", &bytes, &options) {
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }
}
