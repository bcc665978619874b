//! `ebmotion anomaly`.

use super::args::AnomalyArgs;
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use ebmotion::Result;
use ebmotion::anomaly::{Detector, Findings};
use ebmotion::forecast::Model;
use ebmotion::trajectory::Recording;

pub(super) fn run(args: &AnomalyArgs, console: &mut Console) -> Result<()> {
    let csv = output::is_csv(args.output.as_deref())?;
    Inputs::new(Recording::files(&args.logs)?.iter().chain([&args.model])).spared_by(&args.output)?;
    args.output.as_deref().map_or(Ok(()), output::check_writable)?;
    let model = Model::load(&args.model)?;
    let detector = Detector::load(&model, &args.model)?;
    detector.check_rate(args.false_alarms)?;
    let (_, frames) = train::read_frames_for(&model, &args.logs, &args.read)?;
    console.notes(&frames.notes);
    let unfamiliar = model.unfamiliar(&frames, 0..frames.episodes.len(), 0..usize::MAX);
    train::say_unfamiliar(&unfamiliar, false, console)?;
    let mut found = detector.search(&frames, args.false_alarms)?;
    found.notes.extend(unfamiliar.iter().map(ToString::to_string));
    found.model = args.model.display().to_string();
    for short in &found.left_out {
        let least = detector.frames();
        console.say(&format!("`{}` is left out: {} frames of at least {least}", short.id, short.frames));
    }
    match args.output.as_deref() {
        Some(path) if csv => found.write_csv(path)?,
        Some(path) => found.write_json(path)?,
        None => {}
    }
    output::print(&if args.json { found.to_json()? } else { table(&found, args.worst) })
}

/// How many alarms there are, and the worst stretches.
fn table(found: &Findings, worst: usize) -> String {
    let (count, rate) = (found.windows.len(), found.false_alarms);
    let mut text = format!(
        "{} of {count} windows are strange; {:.1} would be by chance (rate {rate})\n",
        found.alarms().count(),
        rate * count as f64
    );
    let stretches = found.stretches();
    if !stretches.is_empty() {
        let width = stretches.iter().take(worst).map(|s| s.worst.episode.len()).fold(7, usize::max);
        text += &format!(
            "\n{:width$}  {:>16}  {:>9}  {:>8}  {:13}  channel\n",
            "episode", "seconds", "score", "p-value", "judge"
        );
        for stretch in stretches.iter().take(worst) {
            let seconds = format!("{:.2} - {:.2}", stretch.start_secs, stretch.end_secs);
            let window = stretch.worst;
            text += &format!(
                "{:width$}  {seconds:>16}  {:>9.2}  {:>8.5}  {:13}  {}\n",
                window.episode,
                window.score,
                window.p_value,
                window.judge,
                window.channel.as_deref().unwrap_or("-")
            );
        }
        if stretches.len() > worst {
            text += &format!("... and {} more stretches\n", stretches.len() - worst);
        }
    }
    text
}
