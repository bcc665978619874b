//! The periods of channels that wrap: what is said of them, and what the data show where nothing is said.

use super::ReadOptions;
use super::glob::glob;
use super::wrap::Wrap;
use crate::Channel;
use crate::error::{Error, Result};
use std::f64::consts::TAU;

/// A step within this share of a period of the whole period is a jump.
const SLACK: f64 = 0.1;

/// The first entry of `options` that fits a channel.
fn of<'a>(name: &str, options: &'a ReadOptions) -> Option<Wrap<'a>> {
    options.wrap.iter().filter_map(|text| Wrap::parse(text).ok()).find(|wrap| glob(wrap.pattern, name))
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
    match (of(name, options), unit) {
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
        if channel.period.is_some() || of(&channel.name, options).is_none() {
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

/// The channels of a log with the periods that its own values show, for what is mended within it; what it does not show
/// other files of the recording may.
pub(super) fn seen_in(channels: &[Channel], values: &[f64], options: &ReadOptions) -> Vec<Channel> {
    let width = channels.len();
    let with_period = |(c, channel): (usize, &Channel)| {
        let open = channel.period.is_none() && of(&channel.name, options).is_some();
        let seen = open.then(|| shown(&[values], c, width)).flatten().map(|(_, period)| period);
        Channel { period: channel.period.or(seen), ..channel.clone() }
    };
    channels.iter().enumerate().map(with_period).collect()
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
