//! Progress for a person: bars on a terminal, a line per phase elsewhere, nothing with `--quiet`.

use super::options;
use ebmotion::event::{Event, Sink};
use ebmotion::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What is shown on standard error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Silent,
    /// One line at the end of each phase.
    Lines,
    Bars,
}

/// The listener of the command line.
pub(crate) struct Console {
    style: Style,
    bar: Option<ProgressBar>,
    phase: String,
    note: String,
    begun: Instant,
    stop: Option<Arc<AtomicBool>>,
}

impl Console {
    pub(crate) fn new(quiet: bool) -> Self {
        let style = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Style::Silent,
            (_, true) => Style::Bars,
            (_, false) => Style::Lines,
        };
        Self { style, bar: None, phase: String::new(), note: String::new(), begun: Instant::now(), stop: None }
    }

    /// From now on Ctrl-C asks the work to save and stop; a second one ends the process at once.
    pub(crate) fn stop_on_interrupt(&mut self) -> Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        })
        .map_err(|e| Error::unsupported("this system", "tell of Ctrl-C", e))?;
        self.stop = Some(stop);
        Ok(())
    }

    /// A message to the person, not shown with `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if self.style != Style::Silent {
            let line = || {
                let _ = writeln!(std::io::stderr(), "{text}");
            };
            match &self.bar {
                Some(bar) => bar.suspend(line),
                None => line(),
            }
        }
    }

    /// What was guessed, left out or mended in logs, each on a line of its own, settings by their options.
    pub(crate) fn notes(&self, notes: &[String]) {
        notes.iter().for_each(|note| self.say(&options::named(&format!("note: {note}"))));
    }
}

impl Sink for Console {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Begin { phase, total } => {
                self.phase = (*phase).to_string();
                self.begun = Instant::now();
                self.note.clear();
                if self.style == Style::Bars {
                    let bar = ProgressBar::with_draw_target(Some(*total), ProgressDrawTarget::stderr_with_hz(8));
                    let template = "{prefix:>12} [{bar:32}] {pos}/{len}  {elapsed}<{eta}  {msg}";
                    let style =
                        ProgressStyle::with_template(template).map_err(Error::unwritable("progress", "a bar"))?;
                    bar.set_style(style.progress_chars("=> "));
                    bar.set_prefix(self.phase.clone());
                    self.bar = Some(bar);
                }
            }
            Event::Step { step, note } => {
                self.note = (*note).to_string();
                if let Some(bar) = &self.bar {
                    bar.set_position(*step);
                    bar.set_message(self.note.clone());
                }
            }
            Event::Figures { .. } | Event::Chains { .. } => {}
            Event::Warning { text } => self.say(text),
            Event::End => match (self.style, self.bar.take()) {
                (_, Some(bar)) => bar.finish(),
                (Style::Lines, None) => {
                    let seconds = self.begun.elapsed().as_secs_f64();
                    let line = format!("{:>12}  done in {seconds:.1} s  {}", self.phase, self.note);
                    self.say(line.trim_end());
                }
                _ => {}
            },
        }
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        self.stop.as_ref().is_some_and(|s| s.load(Ordering::SeqCst))
    }
}
