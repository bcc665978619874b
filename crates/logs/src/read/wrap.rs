//! Channels that wrap: what is said of their period, and what the data show where nothing is said.

use crate::error::{Error, Result};

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
