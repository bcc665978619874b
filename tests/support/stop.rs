//! Interruption in the tests of training.

use ebmotion::Result;
use ebmotion::event::{Event, Sink};

/// A sink that asks to stop at a step, as Ctrl-C does.
pub struct StopAt(pub u64, pub bool);

impl Sink for StopAt {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Step { step, .. } = event {
            self.1 = *step >= self.0;
        }
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        self.1
    }
}
