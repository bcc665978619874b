//! `ebmotion anomaly`.

use super::args::AnomalyArgs;
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use ebmotion::anomaly::{Detector, STRIDE, WindowScore};
use ebmotion::forecast::{Model, WindowArray};
use ebmotion::trajectory::{Recording, WindowSpec, Windows};
use ebmotion::{Error, Result, files};
use serde::Serialize;
use std::path::Path;

/// What is written for every window.
#[derive(Debug, Serialize)]
struct Row<'a> {
    episode: &'a str,
    start_secs: f64,
    end_secs: f64,
    score: f64,
    p_value: f64,
    alarm: bool,
    judge: &'static str,
    channel: &'a str,
}

#[derive(Debug, Serialize)]
struct AnomalyFile<'a> {
    /// Always `ebmotion anomalies 1`.
    format: &'static str,
    model: String,
    /// Asked for, a window.
    false_alarms: f64,
    calibrated_on: usize,
    windows: &'a [Row<'a>],
}

pub(super) fn run(args: &AnomalyArgs, console: &mut Console) -> Result<()> {
    if !(args.false_alarms > 0.0 && args.false_alarms < 1.0) {
        return Err(Error::config("--false-alarms", args.false_alarms, "a share between 0 and 1"));
    }
    let csv = match args.output.as_deref().map(|p| (p, p.extension().and_then(|e| e.to_str()))) {
        None | Some((_, Some("json"))) => false,
        Some((_, Some("csv"))) => true,
        Some((path, _)) => return Err(Error::config("output", path.display(), "a file that ends in .csv or .json")),
    };
    Inputs::new(Recording::files(&args.logs)?.iter().chain([&args.model])).spared_by(&args.output)?;
    args.output.as_deref().map_or(Ok(()), output::check_writable)?;
    let model = Model::load(&args.model)?;
    let detector = Detector::load(&model, &args.model)?;
    let least = 1.0 / (detector.calibrated_on() + 1) as f64;
    if args.false_alarms < least {
        let expected =
            format!("at least {least:.2e}: the model was calibrated on {} windows", detector.calibrated_on());
        return Err(Error::config("--false-alarms", args.false_alarms, expected));
    }
    let (config, frames) = train::read_frames_for(&model, &args.logs, &args.read)?;
    let (context, judged) = (config.model.frames().0, detector.frames());
    let spec = WindowSpec { context, future: judged - context, stride: STRIDE, skip_short: true };
    let listed = Windows::new(&frames, &(0..frames.episodes.len()).collect::<Vec<_>>(), spec)?;
    for short in listed.too_short() {
        console.say(&format!("`{}` is left out: {} frames of at least {judged}", short.id, short.frames));
    }
    let verdicts = detector.judge(&WindowArray::filled(&listed, &model.info().normaliser)?)?;
    let row = |(i, verdict): (usize, &WindowScore)| {
        let start = listed.start_of(i);
        Row {
            episode: &frames.episodes[listed.episode_of(i)].id,
            start_secs: start as f64 / frames.rate_hz,
            end_secs: (start + judged) as f64 / frames.rate_hz,
            score: verdict.score,
            p_value: verdict.p_value,
            alarm: verdict.p_value <= args.false_alarms,
            judge: verdict.leading,
            channel: &frames.channels[verdict.channel].name,
        }
    };
    let rows: Vec<Row> = verdicts.iter().enumerate().map(row).collect();
    let file = AnomalyFile {
        format: "ebmotion anomalies 1",
        model: args.model.display().to_string(),
        false_alarms: args.false_alarms,
        calibrated_on: detector.calibrated_on(),
        windows: &rows,
    };
    let json = serde_json::to_string(&file).map_err(|e| Error::Other(format!("anomalies as JSON: {e}")))? + "\n";
    match args.output.as_deref() {
        Some(path) if csv => write_csv(path, &rows)?,
        Some(path) => files::write_bytes(path, json.as_bytes())?,
        None => {}
    }
    if args.json { output::print(&json) } else { output::print(&table(&rows, args.false_alarms, args.worst)) }
}

fn write_csv(path: &Path, rows: &[Row]) -> Result<()> {
    files::write_atomically(path, |out| {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(["episode", "start [s]", "end [s]", "score [nats]", "p_value", "alarm", "judge", "channel"])?;
        for r in rows {
            let [start, end, score, p] = [r.start_secs, r.end_secs, r.score, r.p_value].map(|v| format!("{v:.6}"));
            let alarm = u8::from(r.alarm).to_string();
            csv.write_record([r.episode, &start, &end, &score, &p, &alarm, r.judge, r.channel])?;
        }
        csv.flush()
    })
}

/// Overlapping alarms of an episode as one stretch each, told by its worst window.
fn table(rows: &[Row], rate: f64, worst: usize) -> String {
    let alarms: Vec<&Row> = rows.iter().filter(|r| r.alarm).collect();
    let mut stretches: Vec<(f64, f64, &Row)> = Vec::new();
    for row in &alarms {
        match stretches.last_mut() {
            Some((_, end, peak)) if peak.episode == row.episode && row.start_secs <= *end => {
                *end = row.end_secs;
                if row.score > peak.score {
                    *peak = row;
                }
            }
            _ => stretches.push((row.start_secs, row.end_secs, row)),
        }
    }
    stretches.sort_by(|a, b| b.2.score.total_cmp(&a.2.score));
    let mut text = format!(
        "{} of {} windows are strange; {:.1} would be by chance (rate {rate})\n",
        alarms.len(),
        rows.len(),
        rate * rows.len() as f64
    );
    if !stretches.is_empty() {
        let width = stretches.iter().take(worst).map(|s| s.2.episode.len()).fold(7, usize::max);
        text += &format!(
            "\n{:width$}  {:>16}  {:>9}  {:>8}  {:13}  channel\n",
            "episode", "seconds", "score", "p-value", "judge"
        );
        for (start, end, r) in stretches.iter().take(worst) {
            let seconds = format!("{start:.2} - {end:.2}");
            text += &format!(
                "{:width$}  {seconds:>16}  {:>9.2}  {:>8.5}  {:13}  {}\n",
                r.episode, r.score, r.p_value, r.judge, r.channel
            );
        }
        if stretches.len() > worst {
            text += &format!("... and {} more stretches\n", stretches.len() - worst);
        }
    }
    text
}
