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
    /// Where some chains of images are; only sent to who asks for it by [`Sink::watches_chains`].
    Chains {
        /// Steps done, counted from 0 in each walk; one walk follows the other.
        step: u64,
        /// `[C, H, W]` of an image.
        shape: [usize; 3],
        /// What the chains look like, `(N, C, H, W)` of bytes, 0 black and 255 white.
        pixels: &'a [u8],
        /// Their energies, nats up to a constant that may differ from step to step.
        energies: &'a [f64],
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
///
/// ```
/// use ebmotion::{Result, event::{Event, Sink}};
///
/// /// Keeps what a person should know.
/// #[derive(Default)]
/// struct Warnings(Vec<String>);
///
/// impl Sink for Warnings {
///     fn emit(&mut self, event: &Event<'_>) -> Result<()> {
///         if let Event::Warning { text } = event {
///             self.0.push(text.to_string());
///         }
///         Ok(())
///     }
/// }
///
/// let mut warnings = Warnings::default();
/// warnings.emit(&Event::Warning { text: "the log is short" })?;
/// assert_eq!(warnings.0, ["the log is short"]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
pub trait Sink {
    /// Takes one event.
    ///
    /// # Errors
    /// When the event cannot be recorded (a full disk); the work that sent it stops.
    fn emit(&mut self, event: &Event<'_>) -> Result<()>;

    /// True for a listener to [`Event::Chains`], which takes some work to tell.
    fn watches_chains(&self) -> bool {
        false
    }

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
