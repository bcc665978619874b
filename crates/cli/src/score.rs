//! `ebmotion score`.

use super::args::ScoreArgs;
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use ebmotion::Result;
use ebmotion::anomaly::{Detector, EpisodeScores};
use ebmotion::forecast::Model;
use ebmotion::trajectory::Recording;
use std::path::PathBuf;

pub(super) fn run(args: &ScoreArgs, console: &mut Console) -> Result<()> {
    let csv = output::is_csv(args.output.as_deref())?;
    Inputs::new(Recording::files(&args.logs)?.iter().chain([&args.model])).spared_by(&args.output)?;
    args.output.as_deref().map_or(Ok(()), output::check_writable)?;
    let model = Model::load(&args.model)?;
    let detector = Detector::load(&model, &args.model)?;
    let (_, frames) = train::read_frames_for(&model, &args.logs, &args.read)?;
    console.stop_on_interrupt()?;
    let mut scores = detector.score_episodes(&frames, args.false_discoveries, console)?;
    scores.model = args.model.display().to_string();
    for short in &scores.left_out {
        let least = detector.frames();
        console.say(&format!("`{}` is left out: {} frames of at least {least}", short.id, short.frames));
    }
    match args.output.as_deref() {
        Some(path) if csv => scores.write_csv(path)?,
        Some(path) => scores.write_json(path)?,
        None => {}
    }
    output::print(&if args.json {
        scores.to_json()?
    } else {
        table(&scores, args.worst) + &without(&scores, &args.logs)
    })
}

/// How many suspects there are, and the worst episodes.
fn table(scores: &EpisodeScores, worst: usize) -> String {
    let (count, rate) = (scores.suspects().count(), scores.false_discoveries);
    let mut text = format!(
        "{count} of {} episodes are suspects; of those at most {:.1} are expected to be normal (rate {rate}, Benjamini \
         and Hochberg)\n",
        scores.episodes.len(),
        rate * count as f64
    );
    let shown = || scores.episodes.iter().take(worst);
    let width = shown().map(|e| e.episode.chars().count()).fold(7, usize::max);
    text += &format!(
        "\n{:width$}  {:>9}  {:>9}  {:16}  {:>16}  channel\n",
        "episode", "p-value", "q-value", "cause", "seconds"
    );
    for e in shown() {
        let seconds = format!("{:.2} - {:.2}", e.start_secs, e.end_secs);
        let mark = if e.suspect { "*" } else { "" };
        let (name, cause) = (&e.episode, format!("{}{mark}", e.cause));
        text += &format!(
            "{name:width$}  {:>9.2e}  {:>9.2e}  {cause:16}  {seconds:>16}  {}\n",
            e.p_value,
            e.q_value,
            e.channel.as_deref().unwrap_or("-")
        );
    }
    if scores.episodes.len() > worst {
        text += &format!("... and {} more episodes\n", scores.episodes.len() - worst);
    }
    text + "* suspect\n"
}

/// The command that trains without the suspects; nothing where there are none.
fn without(scores: &EpisodeScores, logs: &[PathBuf]) -> String {
    let names: Vec<&str> = scores.suspects().map(|e| e.episode.as_str()).collect();
    if names.is_empty() {
        return String::new();
    }
    let logs: Vec<String> = logs.iter().map(|path| quoted(&path.display().to_string())).collect();
    format!("\nwithout them: ebmotion train {} -o MODEL --exclude {}\n", logs.join(" "), quoted(&names.join(",")))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-,:=@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        for (word, expected) in
            [("logs/a.csv", "logs/a.csv"), ("a b", "'a b'"), ("a/3#1", "'a/3#1'"), ("it's", "'it'\\''s'"), ("", "''")]
        {
            assert_eq!(quoted(word), expected);
        }
    }
}
