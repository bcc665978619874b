//! Figures of a training run as JSON lines, beside whatever else listens.

use ebmotion::event::{Event, Sink};
use ebmotion::{Error, Result};
use ebmotion_logs::files;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Appends one JSON object per [`Event::Figures`] to a file and passes every event on.
pub(crate) struct Telemetry<'a> {
    path: PathBuf,
    file: Option<File>,
    resume: bool,
    next: &'a mut dyn Sink,
}

impl<'a> Telemetry<'a> {
    /// Writes to `path`: anew, or with `resume` after the lines of the steps already done.
    pub(crate) fn new(path: &Path, resume: bool, next: &'a mut dyn Sink) -> Self {
        Self { path: path.to_path_buf(), file: None, resume, next }
    }

    /// Opens the file with the lines up to `step` kept: what a killed run wrote after its last checkpoint comes again.
    fn open(&mut self, step: u64) -> Result<()> {
        let mut kept = String::new();
        if self.resume && self.path.exists() {
            let text = std::fs::read_to_string(&self.path).map_err(Error::io(&self.path, "read"))?;
            let done = |line: &str| {
                let value: Option<serde_json::Value> = serde_json::from_str(line).ok();
                value.and_then(|v| v.get("step")?.as_u64()).is_some_and(|s| s <= step)
            };
            for line in text.lines().filter(|line| done(line)) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        files::write_bytes(&self.path, kept.as_bytes())?;
        let file = File::options().append(true).open(&self.path).map_err(Error::io(&self.path, "append to"))?;
        self.file = Some(file);
        Ok(())
    }
}

impl Sink for Telemetry<'_> {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            // The first step told is where the run begins or goes on.
            Event::Step { step, .. } if self.file.is_none() => self.open(*step)?,
            Event::Figures { phase, step, values } => {
                let mut line = serde_json::Map::new();
                line.insert("phase".into(), (*phase).into());
                line.insert("step".into(), (*step).into());
                for (name, value) in *values {
                    line.insert((*name).into(), (*value).into());
                }
                if let Some(file) = &mut self.file {
                    let text = format!("{}\n", serde_json::Value::Object(line));
                    file.write_all(text.as_bytes()).map_err(Error::io(&self.path, "append to"))?;
                }
            }
            _ => {}
        }
        self.next.emit(event)
    }

    fn watches_chains(&self) -> bool {
        self.next.watches_chains()
    }

    fn stop_requested(&self) -> bool {
        self.next.stop_requested()
    }
}
