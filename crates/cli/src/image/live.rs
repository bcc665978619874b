//! Chains of images as a rerun recording while they walk.

use super::super::args::Watched;
use super::super::console::Console;
#[cfg(feature = "rerun")]
use super::super::view::refused;
use super::results::Results;
use ebmotion::Result;
use ebmotion::event::{Event, Sink};

/// The console, and behind it the recordings that were asked for.
pub(super) struct Live<'a> {
    console: &'a mut Console,
    steps: Steps,
    #[cfg(feature = "rerun")]
    recordings: Vec<ebmotion_viz::Chains>,
}

#[cfg(feature = "rerun")]
impl<'a> Live<'a> {
    pub(super) fn new(watched: &Watched, results: &Results, console: &'a mut Console) -> Result<Self> {
        let mut recordings = Vec::new();
        results.inputs.spared_by(&watched.rrd)?;
        if let Some(path) = &watched.rrd {
            super::super::output::check_writable(path)?;
            recordings.push(ebmotion_viz::Chains::to_file(path).map_err(refused)?);
            console.say(&format!("{}: open it with `rerun {}`", path.display(), path.display()));
        }
        if watched.spawn {
            recordings.push(ebmotion_viz::Chains::spawn().map_err(refused)?);
        }
        Ok(Self { console, steps: Steps::default(), recordings })
    }

    /// Writes the file.
    pub(super) fn finish(self) -> Result<()> {
        self.recordings.into_iter().try_for_each(|r| r.finish().map_err(refused))
    }

    fn chains(&mut self, step: u64, shape: [usize; 3], pixels: &[u8], energies: &[f64]) -> Result<()> {
        self.recordings.iter_mut().try_for_each(|r| r.step(step, shape, pixels, energies).map_err(refused))
    }

    fn any(&self) -> bool {
        !self.recordings.is_empty()
    }
}

#[cfg(not(feature = "rerun"))]
impl<'a> Live<'a> {
    pub(super) fn new(watched: &Watched, results: &Results, console: &'a mut Console) -> Result<Self> {
        results.inputs.spared_by(&watched.rrd)?;
        match watched.rrd.is_some() || watched.spawn {
            true => Err(super::super::view::left_out()),
            false => Ok(Self { console, steps: Steps::default() }),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        Ok(())
    }

    fn chains(&mut self, _: u64, _: [usize; 3], _: &[u8], _: &[f64]) -> Result<()> {
        Ok(())
    }

    fn any(&self) -> bool {
        false
    }
}

/// Steps of walks one after the other, each of which counts its own from 0.
#[derive(Debug, Default)]
struct Steps {
    /// Steps of the walks before.
    before: u64,
    /// Steps of this one.
    own: u64,
}

impl Steps {
    fn following(&mut self, step: u64) -> u64 {
        if step < self.own {
            (self.before, self.own) = (self.before + self.own, 0);
        }
        self.own = step + 1;
        self.before + step
    }
}

impl Sink for Live<'_> {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Chains { step, shape, pixels, energies } = event {
            let step = self.steps.following(*step);
            return self.chains(step, *shape, pixels, energies);
        }
        self.console.emit(event)
    }

    fn watches_chains(&self) -> bool {
        self.any()
    }

    fn stop_requested(&self) -> bool {
        self.console.stop_requested()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_walk_follows_the_other() {
        let mut steps = Steps::default();
        let found: Vec<u64> = [0, 1, 3, 0, 1, 0, 0].into_iter().map(|s| steps.following(s)).collect();
        assert_eq!(found, [0, 1, 3, 4, 5, 6, 7]);
    }
}
