//! Channels that wrap: what is said of their period, and what the data show where nothing is said.

use super::ReadOptions;
use super::header::glob;
use crate::Channel;
use crate::error::{Error, Result};
use std::f64::consts::TAU;

/// A step within this share of a period of the whole period is a jump.
const SLACK: f64 = 0.1;

/// One entry of [`ReadOptions::wrap`].
#[derive(Debug, PartialEq)]
pub(super) struct Wrap<'a> {
    /// The channel's name; `*` stands for any characters.
    pub pattern: &'a str,
    /// The period, where it is given.
    pub period: Option<f64>,
}

impl<'a> Wrap<'a> {
    /// `NAME` or `NAME=PERIOD`.
    ///
    /// # Errors
    /// [`Error::Config`] for a period that is not a finite number above 0. What follows the last `=` and is no number
    /// at all belongs to the name.
    pub fn parse(text: &'a str) -> Result<Self> {
        let given = text.rsplit_once('=').and_then(|(name, period)| Some((name, period.trim().parse::<f64>().ok()?)));
        match given {
            None => Ok(Self { pattern: text, period: None }),
            Some((name, period)) if period.is_finite() && period > 0.0 => {
                Ok(Self { pattern: name.trim_end(), period: Some(period) })
            }
            Some((_, period)) => Err(Error::config("wrap", period, "a period above 0 in `NAME=PERIOD`")),
        }
    }

    /// The first entry of `options` that fits a channel.
    fn of(name: &str, options: &'a ReadOptions) -> Option<Self> {
        options.wrap.iter().filter_map(|text| Self::parse(text).ok()).find(|wrap| glob(wrap.pattern, name))
    }
}

/// Whether a channel is to wrap, and its period where that is known before any value is seen.
///
/// # Errors
/// The unit, where it is not one of angles and no period is given.
pub(super) fn declared<'u>(
    name: &str,
    unit: Option<&'u str>,
    options: &ReadOptions,
) -> std::result::Result<Option<f64>, &'u str> {
    match (Wrap::of(name, options), unit) {
        (None, _) | (Some(Wrap { period: None, .. }), None) => Ok(None),
        (Some(Wrap { period: Some(period), .. }), _) => Ok(Some(period)),
        (Some(_), Some(unit)) => super::header::period(Some(unit)).map(Some).ok_or(unit),
    }
}

/// Gives the channels that are to wrap, and of which neither unit nor option says the period, the one that their values
/// show; returns what was found, a sentence each.
///
/// `blocks` are stretches of rows `(rows, channels)`, one after the other in time within each.
///
/// # Errors
/// [`Error::Config`] naming the channel whose values jump by no whole turn.
pub(super) fn settle(channels: &mut [Channel], blocks: &[&[f64]], options: &ReadOptions) -> Result<Vec<String>> {
    let (width, mut notes) = (channels.len(), Vec::new());
    for (c, channel) in channels.iter_mut().enumerate() {
        if channel.period.is_some() || Wrap::of(&channel.name, options).is_none() {
            continue;
        }
        let name = &channel.name;
        let Some((jumps, period)) = shown(blocks, c, width) else {
            let found = format!("`{name}`, which has no unit and never jumps by nearly a turn");
            let expected =
                format!("its period: `wrap = {name}=360` in degrees, `wrap = {name}={TAU}` in radians, or another");
            return Err(Error::config("wrap", found, expected));
        };
        notes.push(format!(
            "`{name}` has no unit and jumps {jumps} times by nearly {period}: it wraps with that period (`wrap = \
             {name}={period}` says so)"
        ));
        channel.period = Some(period);
    }
    Ok(notes)
}

/// How often channel `c` jumps by nearly a turn, and the turn: 2 pi or 360.
fn shown(blocks: &[&[f64]], c: usize, width: usize) -> Option<(usize, f64)> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut steps = Vec::new();
    for block in blocks {
        let mut before: Option<f64> = None;
        for now in block.iter().skip(c).step_by(width).copied().filter(|v| v.is_finite()) {
            (low, high) = (low.min(now), high.max(now));
            let step = before.replace(now).map_or(0.0, |before| (now - before).abs());
            if step > TAU * (1.0 - SLACK) {
                steps.push(step);
            }
        }
    }
    // An angle that wraps stays within one period; larger ranges are something else.
    let jumps = |period: &f64| match high - low <= 1.02 * period {
        true => steps.iter().filter(|step| (**step - period).abs() < SLACK * period).count(),
        false => 0,
    };
    [TAU, 360.0].into_iter().map(|period| (jumps(&period), period)).find(|(count, _)| *count > 0)
}

impl ReadOptions {
    /// The same options with the periods of `channels` said, so that logs in which an angle does not turn far enough to
    /// show its period are read alike.
    #[must_use]
    pub fn with_periods(&self, channels: &[Channel]) -> Self {
        let said = |c: &Channel| c.period.map(|period| format!("{}={period}", c.name));
        let wrap = if self.wrap.is_empty() { Vec::new() } else { channels.iter().filter_map(said).collect() };
        Self { wrap, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_parsed() {
        assert_eq!(Wrap::parse("yaw*").unwrap(), Wrap { pattern: "yaw*", period: None });
        assert_eq!(Wrap::parse("roll=4096").unwrap(), Wrap { pattern: "roll", period: Some(4096.0) });
        assert_eq!(Wrap::parse("a=b").unwrap(), Wrap { pattern: "a=b", period: None });
        for wrong in ["a=0", "a=-1", "a=nan", "a=inf"] {
            assert!(Wrap::parse(wrong).is_err(), "{wrong}");
        }
    }
}
