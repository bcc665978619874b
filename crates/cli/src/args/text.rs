//! What single arguments mean.

use ebmotion::{Error, Result};

/// The two sides of a `KEY=VALUE` that `option` was given, trimmed.
pub(crate) fn key_value<'a>(option: &str, pair: &'a str) -> Result<(&'a str, &'a str)> {
    let (key, value) = pair.split_once('=').ok_or_else(|| Error::config(option, format!("`{pair}`"), "KEY=VALUE"))?;
    Ok((key.trim(), value.trim()))
}

/// A length of time, as the user gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Span {
    /// In seconds.
    Secs(f64),
    /// In frames.
    Frames(usize),
}

impl Span {
    /// The nearest whole number of frames.
    pub(crate) fn frames(self, rate_hz: f64) -> usize {
        match self {
            Span::Secs(s) => (s * rate_hz).round() as usize,
            Span::Frames(n) => n,
        }
    }

    /// As [`Span::frames`], at least 1.
    pub(crate) fn horizon(self, rate_hz: f64) -> Result<usize> {
        match self.frames(rate_hz) {
            0 => Err(Error::config("horizon", "less than one frame", format!("at least {} s", 1.0 / rate_hz))),
            n => Ok(n),
        }
    }
}

pub(super) fn span(text: &str) -> std::result::Result<Span, String> {
    let wrong = || format!("`{text}` is no length of time: expected seconds (`4s`, `400ms`) or frames (`100f`)");
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0).ok_or_else(wrong);
    if let Some(t) = text.strip_suffix("ms") {
        Ok(Span::Secs(number(t)? / 1e3))
    } else if let Some(t) = text.strip_suffix('s') {
        Ok(Span::Secs(number(t)?))
    } else if let Some(t) = text.strip_suffix('f') {
        t.trim().parse().map(Span::Frames).map_err(|_| wrong())
    } else {
        Err(wrong())
    }
}

/// `2.0s..2.6s`: from where to where.
pub(super) fn spans(text: &str) -> std::result::Result<(Span, Span), String> {
    let wrong = || format!("`{text}` is no stretch of time: expected `2.0s..2.6s` or `50f..65f`");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    Ok((span(from).map_err(|_| wrong())?, span(to).map_err(|_| wrong())?))
}
