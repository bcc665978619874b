//! Faults put into synthetic motion, one at a time: each is found by its kind, and nothing else is. Motion without
//! faults, of many kinds, is clean.

use ebmotion_logs::{
    FindingKind, Inspection, JointLimits, LogFinding, ReadOptions, Recording, Severity, inspect, inspect_with,
};
use std::f64::consts::TAU;
use std::fmt::Write;

const ROWS: usize = 1000;
const STEP: f64 = 0.02;

/// A log of three joints that move all the time: times, and rows of values.
#[derive(Clone)]
struct Log {
    header: String,
    time: Vec<f64>,
    rows: Vec<Vec<f64>>,
}

/// Evenly distributed in [0, 1), the same for the same numbers.
fn dice(a: usize, b: usize) -> f64 {
    let mixed = (a as f64 * 12.9898 + b as f64 * 78.233 + 4.1).sin() * 43758.5453;
    mixed - mixed.floor()
}

/// Sums of sines from 0.07 to 0.9 Hz.
fn moving(joint: usize, t: f64) -> f64 {
    let wave = |i: usize| {
        let (size, hz, phase) =
            (0.2 + 0.6 * dice(joint, i), 0.07 + 0.83 * dice(i, joint + 9), TAU * dice(joint + 5, i));
        size * (TAU * hz * t + phase).sin()
    };
    (0..3).map(wave).sum()
}

impl Log {
    fn new() -> Self {
        Self::of(&|joint, t| moving(joint, t))
    }

    fn of(value: &dyn Fn(usize, f64) -> f64) -> Self {
        let time: Vec<f64> = (0..ROWS).map(|k| k as f64 * STEP).collect();
        let rows = time.iter().map(|t| (0..3).map(|joint| value(joint, *t)).collect()).collect();
        Self { header: "time,a,b,c".into(), time, rows }
    }

    /// With a column changed: its values by row.
    fn with(mut self, column: usize, change: impl Fn(usize, f64) -> f64) -> Self {
        self.rows.iter_mut().enumerate().for_each(|(k, row)| row[column] = change(k, row[column]));
        self
    }

    fn timed(mut self, change: impl Fn(usize, f64) -> f64) -> Self {
        self.time.iter_mut().enumerate().for_each(|(k, t)| *t = change(k, *t));
        self
    }

    /// With the rows of these numbers, in this order.
    fn rows(self, order: impl IntoIterator<Item = usize>) -> Self {
        let order: Vec<usize> = order.into_iter().collect();
        let time = order.iter().map(|k| self.time[*k]).collect();
        Self { time, rows: order.iter().map(|k| self.rows[*k].clone()).collect(), header: self.header }
    }

    fn headed(self, header: &str) -> Self {
        Self { header: header.into(), ..self }
    }

    fn write(&self, path: &std::path::Path) {
        let mut text = self.header.clone() + "\n";
        for (t, row) in self.time.iter().zip(&self.rows) {
            let cells: Vec<String> = row.iter().map(|v| v.to_string()).collect();
            writeln!(text, "{t:.6},{}", cells.join(",")).unwrap();
        }
        std::fs::write(path, text).unwrap();
    }

    fn found_with(&self, limits: &[JointLimits]) -> Inspection {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        self.write(&path);
        let found = inspect_with(&[path], &ReadOptions::default(), |_| Ok(limits.to_vec())).unwrap();
        assert!(found.to_string().lines().all(|l| l.chars().count() <= 100), "{found}");
        found
    }

    /// The one finding, of this kind and severity, beside that reading refuses the log.
    #[track_caller]
    fn finds(&self, kind: FindingKind, severity: Severity, channel: Option<&str>) -> LogFinding {
        let found = self.found_with(&[]);
        let others: Vec<&LogFinding> = found.findings.iter().filter(|f| f.kind != FindingKind::Refused).collect();
        let [finding] = others[..] else { panic!("not one finding, {kind}: {found}") };
        assert_eq!((finding.kind, finding.severity, finding.channel.as_deref()), (kind, severity, channel), "{found}");
        finding.clone()
    }

    #[track_caller]
    fn is_clean(&self) {
        let found = self.found_with(&[]);
        assert_eq!(found.findings, [], "{found}");
    }
}

fn lines(finding: &LogFinding) -> Vec<u64> {
    finding.places.iter().map(|place| place.line).collect()
}

use FindingKind::*;
use Severity::{Error, Note, Warning};

#[test]
fn motion_without_faults_is_clean() {
    Log::new().is_clean();
    // With noise of a sensor.
    Log::of(&|joint, t| moving(joint, t) + 0.003 * dice((t / STEP) as usize, joint)).is_clean();
    // Smooth moves between poses with rests of several seconds in between, each joint at its own times.
    let arm = |joint: usize, t: f64| {
        let (move_secs, period) = (1.2 + 0.3 * joint as f64, 5.0 + joint as f64);
        let (cycle, phase) = ((t / period).floor() as usize, t % period);
        let pose = |k: usize| 2.0 * dice(joint, k) - 1.0;
        let s = (phase / move_secs).min(1.0);
        pose(cycle) + (pose(cycle + 1) - pose(cycle)) * (10.0 * s.powi(3) - 15.0 * s.powi(4) + 6.0 * s.powi(5))
    };
    Log::of(&arm).is_clean();
    // The same with the last digit of an encoder.
    Log::of(&|joint, t| (arm(joint, t) / 1e-4).round() * 1e-4).is_clean();
    // A hand: open or closed at once, closing at a steady pace, and a joint of the arm.
    Log::of(&|joint, t| match joint {
        0 => f64::from(u8::from((0.4 * t).sin() > 0.3)),
        1 => ((t % 7.0) - 3.0).clamp(0.0, 1.0) - ((t % 7.0) - 5.0).clamp(0.0, 1.0),
        _ => moving(joint, t),
    })
    .is_clean();
    // Fast motion: a few rows for a swing; impacts that decay.
    Log::of(&|joint, t| (TAU * (2.5 + joint as f64) * t).sin()).is_clean();
    Log::of(&|joint, t| (-8.0 * ((t + joint as f64) % 2.5)).exp() * (TAU * 4.0 * t).cos()).is_clean();
    // A random walk.
    let mut at = [0.0; 3];
    let walk: Vec<[f64; 3]> = (0..ROWS)
        .map(|k| {
            (0..3).for_each(|joint| at[joint] += 0.02 * (dice(k, joint) - 0.5));
            at
        })
        .collect();
    Log::of(&|joint, t| walk[(t / STEP).round() as usize][joint]).is_clean();
    // Stamps in milliseconds of 30 Hz, and of a clock of today.
    Log::new().timed(|k, _| (k as f64 * 1000.0 / 30.0).round() / 1000.0).is_clean();
    Log::new().timed(|k, _| 1.7e9 + k as f64 * STEP).is_clean();
}

#[test]
fn spikes_are_found() {
    let spike = |at: usize, by: f64| Log::new().with(1, move |k, v| if k == at { by } else { v });
    for at in [500, ROWS - 3, ROWS - 1, 0] {
        let found = spike(at, 7500.0).finds(Spike, Warning, Some("b"));
        assert_eq!((lines(&found), found.figures["worst"]), (vec![at as u64 + 2], 7500.0));
    }
    let small = Log::new().with(2, |k, v| {
        if k == 300 {
            v + 0.4
        } else if k / 2 == 350 {
            v - 0.5
        } else {
            v
        }
    });
    assert_eq!(lines(&small.finds(Spike, Warning, Some("c"))), [302, 702, 703]);
    let noisy = Log::of(&|joint, t| moving(joint, t) + 0.01 * dice((t / STEP).round() as usize, joint));
    let noisy = noisy.with(0, |k, v| if k == 400 { v + 0.3 } else { v });
    assert_eq!(lines(&noisy.finds(Spike, Warning, Some("a"))), [402]);
}

#[test]
fn stuck_cut_and_coarse_channels_are_found() {
    let at = |k: usize| moving(1, k as f64 * STEP);
    let caught_up = Log::new().with(1, |k, v| if (300..420).contains(&k) { at(300) } else { v });
    let found = caught_up.finds(Stuck, Warning, Some("b"));
    assert_eq!(lines(&found), [302]);
    assert!((found.figures["longest_secs"] - 119.0 * STEP).abs() < 1e-6, "{found}");
    assert_eq!(
        lines(&Log::new().with(1, |k, v| if k >= 600 { at(600) } else { v }).finds(Stuck, Warning, Some("b"))),
        [602]
    );
    Log::new().with(0, |_, v| v.clamp(-0.8, 0.8)).finds(Saturated, Note, Some("a"));
    let coarse = Log::new().with(2, |_, v| (v / 0.05).round() * 0.05).finds(Quantised, Note, Some("c"));
    assert!((coarse.figures["unit"] - 0.05).abs() < 1e-9);
    assert_eq!(Log::new().with(0, |_, _| 0.25).finds(Constant, Note, Some("a")).figures["value"], 0.25);
}

#[test]
fn channels_that_are_no_motion_are_found() {
    // Without a unit such a channel is left out by reading, with a note.
    let counting = Log::new().with(0, |k, _| k as f64);
    let left_out = counting.found_with(&[]);
    assert!(left_out.groups[0].notes.iter().any(|note| note.contains("`a` counts the rows")), "{left_out}");
    let counting = counting.headed("time,a [ticks],b,c");
    assert_eq!(counting.finds(Counter, Warning, Some("a")).figures["by"], 1.0);
    // Starts again at 256.
    Log::new().with(0, |k, _| (k % 256) as f64).finds(Counter, Warning, Some("a"));
    let stamp = Log::new().with(2, |k, _| 1.7e18 + 1e9 * (k as f64 * STEP + 1e-4 * dice(k, 1)));
    assert_eq!(stamp.finds(Counter, Warning, Some("c")).figures["per_second"], 1e9);
    let mut copy = Log::new();
    copy.rows.iter_mut().for_each(|row| row[2] = row[0]);
    copy.finds(Copy, Warning, Some("c"));
    copy.rows.iter_mut().for_each(|row| row[2] = 0.3 - 2.5 * row[0]);
    let scaled = copy.finds(Copy, Note, Some("c"));
    assert!((scaled.figures["scale"] + 2.5).abs() < 1e-6 && (scaled.figures["shift"] - 0.3).abs() < 1e-6);
    let huge = Log::new().with(0, |k, v| if k == 20 { 1e306 } else { v }).found_with(&[]);
    assert_eq!((huge.findings[0].kind, huge.findings[0].severity), (ImpossibleValue, Error), "{huge}");
    assert_eq!(lines(&huge.findings[0]), [22]);
}

#[test]
fn units_wraps_and_limits_are_found() {
    let degrees = Log::new().with(1, |_, v| v.to_degrees());
    degrees.clone().headed("time,a [rad],b [rad],c [rad]").finds(DegreesForRadians, Warning, Some("b"));
    degrees.finds(DegreesForRadians, Note, Some("b"));
    Log::new().with(1, |_, v| v.to_degrees()).headed("time,a [rad],b [deg],c [rad]").is_clean();
    // From slow to fast: 3 to 140 degrees a row.
    for (period, speed) in [(TAU, 3.0), (360.0, 170.0), (360.0, 2000.0), (360.0, 5000.0), (4096.0, 2000.0)] {
        let wrapped = |k: usize| (speed * k as f64 * STEP + 0.1 * moving(7, k as f64 * STEP)).rem_euclid(period);
        let found = Log::new().with(0, |k, _| wrapped(k)).finds(Wrap, Warning, Some("a"));
        assert!((found.figures["period"] - period).abs() < 1e-6, "{found}");
        let turns = |k: &usize| (wrapped(*k) - wrapped(k - 1)).abs() > 0.5 * period;
        assert_eq!(found.count, (1..ROWS).filter(turns).count(), "{found}");
        let setting = if period < 7.0 { "`wrap = a`".to_string() } else { format!("`wrap = a={period}`") };
        assert!(found.advice.contains(&setting), "{found}");
    }
    let limits = |name: &str, upper: f64| JointLimits {
        name: name.into(),
        lower: Some(-3.0),
        upper: Some(upper),
        velocity: None,
    };
    let log = Log::new();
    let most = log.rows.iter().map(|row| row[1]).fold(f64::NEG_INFINITY, f64::max);
    let found = log.found_with(&[limits("b", 0.5), limits("a", 3.0), limits("unknown", 0.0)]);
    assert_eq!(found.findings.len(), 1, "{found}");
    let outside = &found.findings[0];
    assert_eq!((outside.kind, outside.severity, outside.channel.as_deref()), (OutsideLimits, Warning, Some("b")));
    // A thousandth of the range beyond its end a joint may rest.
    assert_eq!(outside.count, log.rows.iter().filter(|row| row[1] > 0.5 + 3.5e-3).count());
    assert_eq!(outside.figures["worst"], most);
    // A limit a tenth below the fastest step.
    let speeds: Vec<f64> = log.rows.windows(2).map(|w| ((w[1][1] - w[0][1]) / STEP).abs()).collect();
    let fastest = speeds.iter().copied().fold(0.0, f64::max);
    let limit = JointLimits { name: "b".into(), lower: None, upper: None, velocity: Some(0.9 * fastest) };
    let found = log.found_with(&[limit]);
    assert_eq!((found.findings.len(), found.findings[0].kind), (1, TooFast), "{found}");
    let beyond = speeds.iter().filter(|speed| **speed > 0.9 * fastest).count();
    assert!(found.findings[0].count.abs_diff(beyond) <= 1, "{found}");
}

#[test]
fn faults_of_order_and_time_are_found() {
    let gap = Log::new().rows((0..400).chain(440..ROWS)).finds(Gap, Warning, None);
    assert_eq!((lines(&gap), gap.figures["missing_rows"]), (vec![402], 40.0));
    let dropped = Log::new().rows((0..400).chain(401..700).chain(702..ROWS)).finds(DroppedRows, Warning, None);
    assert_eq!((lines(&dropped), dropped.figures["missing_rows"]), (vec![402, 701], 3.0));
    let late = Log::new().rows((0..500).chain(505..ROWS).chain(500..505)).finds(BackwardRows, Warning, None);
    assert_eq!(lines(&late), [997, 998, 999, 1000, 1001]);
    let twice = Log::new().rows((0..500).chain(499..ROWS)).finds(DuplicatedRow, Warning, None);
    assert_eq!(lines(&twice), [502]);
    let swapped = Log::new().rows((0..100).chain([101, 100]).chain(102..ROWS)).finds(SwappedRows, Warning, None);
    assert_eq!(lines(&swapped), [102, 103]);
    let stamp = Log::new().timed(|k, t| if k == 50 { t - STEP } else { t }).finds(RepeatedStamp, Warning, None);
    assert_eq!(lines(&stamp), [52]);
    let forward = Log::new().timed(|k, t| if k >= 480 { t + 3600.0 } else { t }).finds(ClockJump, Warning, None);
    assert_eq!(lines(&forward), [482]);
    let back = Log::new().timed(|k, t| if k >= 500 { t - 7.3 } else { t }).finds(ClockJump, Warning, None);
    assert_eq!(lines(&back), [502]);
    let slower = Log::new().timed(|k, t| if k >= 500 { t + 1.5 * STEP * (k - 499) as f64 } else { t });
    assert_eq!(lines(&slower.finds(MixedRates, Warning, None)), [502]);
    let scattered = |by: f64| Log::new().timed(move |k, t| t + by * STEP * (dice(k, 3) - 0.5));
    assert_eq!(scattered(0.2).finds(Jitter, Note, None).severity, Note);
    scattered(0.8).finds(Jitter, Warning, None);
    Log::new().timed(|_, t| 1000.0 * t).headed("time [s],a,b,c").finds(UnlikelyRate, Warning, None);
}

#[test]
fn stamps_that_are_rounded_or_come_in_batches_lose_no_rows() {
    Log::new().timed(|k, _| (k as f64 / 4.0).floor() * 0.01).finds(RoundedStamps, Warning, None);
    Log::new().timed(|k, _| (k as f64 * 100.0 / 30.0).round() / 100.0).finds(RoundedStamps, Note, None);
    Log::new().timed(|k, _| 0.03 * (k / 3) as f64 + 0.0002 * (k % 3) as f64).finds(Jitter, Warning, None);
    Log::new().timed(|k, _| STEP * k as f64 - 0.3 * STEP * (k % 2) as f64).finds(Jitter, Warning, None);
}

#[test]
fn two_sources_in_one_log_are_told() {
    // Fresh states at 50 Hz, and stale ones at 10 Hz in between, 7.3 ms later.
    let mut log = Log::new();
    let (time, rows) = (log.time.clone(), log.rows.clone());
    let mut both: Vec<(f64, Vec<f64>)> = time.iter().copied().zip(rows.iter().cloned()).collect();
    both.extend((20..ROWS).step_by(5).map(|k| (time[k] + 0.0073, rows[k - 20].clone())));
    both.sort_by(|a, b| a.0.total_cmp(&b.0));
    (log.time, log.rows) = both.into_iter().unzip();
    let found = log.found_with(&[]);
    let two = found.findings.iter().find(|f| f.kind == TwoPublishers).unwrap();
    assert_eq!((two.count, two.severity, two.places[0].line), ((ROWS - 20) / 5, Warning, 23), "{found}");
    // By turns, at one rate.
    let turns = Log::of(&|joint, t| moving(joint + 3 * ((t / STEP).round() as usize % 2), t));
    assert_eq!(turns.finds(TwoPublishers, Warning, None).count, ROWS / 2);
    // Rows of one source that lie closer now and then are no other source.
    let mut own = Log::new();
    own.time.extend((20..ROWS).step_by(5).map(|k| k as f64 * STEP + 0.0073));
    own.time.sort_by(f64::total_cmp);
    own.rows = own.time.iter().map(|t| (0..3).map(|joint| moving(joint, *t)).collect()).collect();
    assert!(own.found_with(&[]).findings.iter().all(|f| f.kind != TwoPublishers));
}

#[test]
fn logs_of_other_rates_and_too_few_frames_are_told() {
    let folder = tempfile::tempdir().unwrap();
    Log::new().write(&folder.path().join("a.csv"));
    Log::new().timed(|_, t| 1.25 * t).write(&folder.path().join("b.csv"));
    let found = inspect(&[folder.path()], &ReadOptions::default()).unwrap();
    let mixed = found.findings.iter().find(|f| f.kind == MixedRates).unwrap();
    assert_eq!((mixed.places[0].episode.as_str(), mixed.places[0].line), ("b", 2));
    assert!((mixed.figures["other_hz"] - 40.0).abs() < 1e-6 && (mixed.figures["first_hz"] - 50.0).abs() < 1e-6);

    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv", "b.csv"] {
        let seed = usize::from(name == "b.csv");
        let header = (0..200).map(|joint| format!(",j{joint}")).collect::<String>();
        let row = |k: usize| {
            let values: String = (0..200).map(|joint| format!(",{}", moving(joint + seed, k as f64 * STEP))).collect();
            format!("{}{values}\n", k as f64 * STEP)
        };
        std::fs::write(folder.path().join(name), format!("time{header}\n") + &(0..300).map(row).collect::<String>())
            .unwrap();
    }
    let found = inspect(&[folder.path()], &ReadOptions::default()).unwrap();
    let few = found.findings.iter().find(|f| f.kind == TooFewFrames).unwrap();
    assert_eq!((few.severity, few.figures["rows"], few.figures["channels"]), (Warning, 600.0, 200.0));
}

#[test]
fn the_rate_is_that_of_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    for change in [|k: usize| k as f64 / 30.0, |k: usize| (k as f64 * 100.0 / 30.0).round() / 100.0] {
        Log::new().timed(|k, _| change(k)).write(&path);
        let found = inspect(&[&path], &ReadOptions::default()).unwrap();
        let read = Recording::read(&[&path], &ReadOptions::default()).unwrap();
        assert_eq!(found.groups[0].rate_hz, Some(read.rate_hz().unwrap()));
        assert_eq!(found.groups[0].episodes[0].rate_hz, found.groups[0].rate_hz);
    }
}
