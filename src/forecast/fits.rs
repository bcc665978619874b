//! Which logs a model takes: their channels, units and rate, and whether it has seen them.

use super::config::DataConfig;
use super::dataset::{CUT, Dataset};
use super::trained::Model;
use crate::error::{Error, Result};
use crate::trajectory::{Channel, Frames};
use std::path::Path;

/// Two rates are one if they differ by less than this share.
const SAME_RATE: f64 = 1e-3;

impl Model {
    /// Logs, or folders of them, as this model needs them: read as `data` says, with the model's channels, which are
    /// taken by name, at its rate. Other channels are left out; a channel without a unit is taken to be in that of the
    /// other side; notes say so.
    ///
    /// # Errors
    /// As [`DataConfig::frames`]; [`Error::Log`] naming the channels that are missing and those of another unit.
    pub fn frames(&self, paths: &[impl AsRef<Path>], data: &DataConfig) -> Result<Frames> {
        let mut data = data.clone();
        data.rate_hz = Some(self.info.rate_hz);
        data.read.of_model = Some(self.info.channels.clone());
        let frames = data.frames(paths)?;
        self.check_fits(&frames)?;
        Ok(frames)
    }

    /// Checks that motion has the channels, units and rate that this model was trained on.
    ///
    /// # Errors
    /// [`Error::Data`] naming the channels that are missing, additional, in another order or unit, or the rate.
    pub fn check_fits(&self, frames: &Frames) -> Result<()> {
        self.check_channels(&frames.channels)?;
        if (frames.rate_hz / self.info.rate_hz - 1.0).abs() > SAME_RATE {
            let expected = format!("{} Hz, the model's rate", self.info.rate_hz);
            return Err(Error::data("rate of the log", format!("{} Hz", frames.rate_hz), expected));
        }
        Ok(())
    }

    pub(super) fn check_channels(&self, given: &[Channel]) -> Result<()> {
        let describe = |c: &Channel| match &c.unit {
            Some(unit) => format!("{} [{unit}]", c.name),
            None => c.name.clone(),
        };
        let list = |of: &[Channel], without: &[Channel]| {
            let names: Vec<String> = of.iter().filter(|c| !without.contains(c)).map(describe).collect();
            if names.is_empty() { "none".to_string() } else { names.join(", ") }
        };
        let own = &self.info.channels[..];
        if own != given {
            let (missing, extra) = (list(own, given), list(given, own));
            let found = match missing == "none" && extra == "none" {
                true => "the model's channels in another order".to_string(),
                false => format!("a log without {missing}; with, unknown to the model, {extra}"),
            };
            return Err(Error::data("channels of the log", found, format!("the model's {} channels", own.len())));
        }
        Ok(())
    }

    /// Checks that the test episodes of `dataset` are new to this model, which was neither trained on them nor chosen
    /// by them.
    ///
    /// # Errors
    /// [`Error::Data`] naming one that it has seen.
    pub fn check_unseen(&self, dataset: &Dataset) -> Result<()> {
        let has = |fingerprint: &String| self.info.seen.contains(fingerprint);
        // Blocks of what was seen as a whole, and wholes of which blocks were seen.
        let whole = dataset.cut_from.iter().any(has);
        let seen = |e: &usize| {
            let own = dataset.fingerprint(*e);
            whole || has(&own) || has(&format!("{CUT}{own}"))
        };
        let known: Vec<usize> = dataset.split.test.iter().copied().filter(seen).collect();
        let Some(first) = known.first() else { return Ok(()) };
        let name = &dataset.frames.episodes[*first].id;
        let found = format!("{} that the model was trained on, such as `{name}`", known.len());
        Err(Error::data("test episodes", found, "the logs of the training, all of them, or only others"))
    }
}
