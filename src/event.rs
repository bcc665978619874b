//! What long work tells the outside: plain labels and numbers, to any number of listeners.

use crate::error::Result;

/// A message from long work.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A phase of `total` steps begins.
    Begin {
        /// What is being done ("train ebm").
        phase: &'a str,
        /// Number of steps.
        total: u64,
    },
    /// `step` steps of the current phase are done.
    Step {
        /// Steps done.
        step: u64,
        /// Short text beside the bar ("loss 0.41").
        note: &'a str,
    },
    /// Figures of one moment, in the order in which they should be shown.
    Figures {
        /// Phase they belong to.
        phase: &'a str,
        /// Step they belong to.
        step: u64,
        /// Names and values.
        values: &'a [(&'static str, f64)],
    },
    /// Something that a person should know although the work goes on.
    Warning {
        /// What.
        text: &'a str,
    },
    /// The current phase is over.
    End,
}

/// A listener: console bars, a JSONL file, a test.
pub trait Sink {
    /// Takes one event.
    ///
    /// # Errors
    /// When the event cannot be recorded (a full disk); the work that sent it stops.
    fn emit(&mut self, event: &Event<'_>) -> Result<()>;

    /// True once the user has asked to stop; long work asks between steps, saves and returns
    /// [`crate::Error::Interrupted`].
    fn stop_requested(&self) -> bool {
        false
    }
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Sink for Silent {
    fn emit(&mut self, _: &Event<'_>) -> Result<()> {
        Ok(())
    }
}
