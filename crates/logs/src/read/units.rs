//! Units: which words are units, and the unit of stamps by their name or by their size.

use crate::pace::median;
use serde::{Deserialize, Serialize};

/// Units of columns beside those of time, without powers and quotients.
const UNITS: &[&str] = &[
    "-", "%", "1", "rad", "radian", "radians", "deg", "degree", "degrees", "°", "m", "mm", "cm", "um", "µm", "km",
    "in", "N", "mN", "kN", "Nm", "mNm", "Nmm", "A", "mA", "V", "mV", "W", "kW", "J", "Hz", "kHz", "rpm", "RPM", "Pa",
    "kPa", "MPa", "bar", "K", "C", "°C", "degC", "F", "°F", "g", "kg", "T", "mT", "uT", "µT", "G", "px", "tick",
    "ticks", "count", "counts", "step", "steps", "min", "h", "l", "ml", "Ohm", "Ω",
];

/// Slowest and fastest rate that a log has whose unit of time nobody says, Hz.
const RATES: (f64, f64) = (0.2, 20_000.0);
/// Stamps since 1970 of the years 1998 to 2103, seconds.
const EPOCH: (f64, f64) = (0.9e9, 4.2e9);

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl TimeUnit {
    const ALL: [Self; 4] = [Self::S, Self::Ms, Self::Us, Self::Ns];

    /// Of `s`, `msec`, `nanoseconds` and the like, in small or capital letters.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        Some(match word.to_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => Self::S,
            "ms" | "msec" | "msecs" | "millis" | "millisec" | "millisecs" | "millisecond" | "milliseconds" => Self::Ms,
            "us" | "µs" | "μs" | "usec" | "usecs" | "micros" | "microsec" | "microsecs" | "microsecond"
            | "microseconds" => Self::Us,
            "ns" | "nsec" | "nsecs" | "nanos" | "nanosec" | "nanosecs" | "nanosecond" | "nanoseconds" => Self::Ns,
            _ => return None,
        })
    }

    /// How many are a second.
    pub(super) fn per_sec(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::Ms => 1e3,
            Self::Us => 1e6,
            Self::Ns => 1e9,
        }
    }

    /// As a setting has it.
    pub(super) fn short(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
        }
    }

    /// As a sentence has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::S => "seconds",
            Self::Ms => "milliseconds",
            Self::Us => "microseconds",
            Self::Ns => "nanoseconds",
        }
    }
}

/// Whether `word` is a unit: `rad/s^2`, `Nm`, `°`.
pub(super) fn is_unit(word: &str) -> bool {
    let power = |c: char| c.is_ascii_digit() || matches!(c, '^' | '²' | '³' | '-');
    let part = |part: &str| {
        let base = if UNITS.contains(&part) { part } else { part.trim_end_matches(power) };
        UNITS.contains(&base) || TimeUnit::of_word(base).is_some()
    };
    !word.is_empty() && (part(word) || word.split(['/', '*', '·', '.']).all(part))
}

/// The unit of stamps of which nobody says it, with a sentence where that is a guess.
///
/// `steps` are the differences of stamps one after the other (they are reordered).
///
/// # Errors
/// What was found, and the setting that decides, where no unit or more than one makes it a rate that logs have.
pub(super) fn guessed(stamps: &[f64], steps: &mut Vec<f64>) -> Result<(TimeUnit, Option<String>), (String, String)> {
    steps.retain(|step| *step > 0.0);
    let median = median(steps);
    let rate = |unit: TimeUnit| median.map(|step| unit.per_sec() / step);
    let possible = |unit: &TimeUnit| rate(*unit).is_none_or(|hz| (RATES.0..=RATES.1).contains(&hz));
    let finite = || stamps.iter().filter(|t| t.is_finite());
    let since_1970 = |unit: &TimeUnit| {
        let range = EPOCH.0 * unit.per_sec()..EPOCH.1 * unit.per_sec();
        finite().next().is_some() && finite().all(|t| range.contains(t))
    };
    if let Some(unit) = TimeUnit::ALL.into_iter().find(since_1970).filter(possible) {
        let note = format!("the stamps are {} since 1970 by their size", unit.word());
        return Ok((unit, (unit != TimeUnit::S).then_some(note)));
    }
    let whole = finite().all(|t| t.fract().abs() < f64::MIN_POSITIVE);
    if possible(&TimeUnit::S) {
        let hz = rate(TimeUnit::S).filter(|_| whole);
        let also = [TimeUnit::Ms, TimeUnit::Us, TimeUnit::Ns].into_iter().find(possible);
        let note = hz.zip(also).map(|(hz, also)| {
            format!(
                "the stamps are whole numbers without a unit: taken for seconds, {} Hz (`time_unit = {}` makes them \
                 {})",
                short(hz),
                also.short(),
                also.word()
            )
        });
        return Ok((TimeUnit::S, note));
    }
    let fitting: Vec<TimeUnit> = TimeUnit::ALL.into_iter().filter(possible).collect();
    let step = median.unwrap_or_default();
    match fitting.as_slice() {
        [unit] if whole => {
            let hz = short(rate(*unit).unwrap_or_default());
            let note =
                format!("the stamps are {}: only so their steps of {step} make a log's rate, {hz} Hz", unit.word());
            Ok((*unit, Some(note)))
        }
        _ => {
            let found = format!("steps of {step} without a unit, {} Hz in seconds", short(1.0 / step));
            let each: Vec<String> = TimeUnit::ALL[1..]
                .iter()
                .map(|unit| format!("`time_unit = {}`: {} Hz", unit.short(), short(unit.per_sec() / step)))
                .collect();
            Err((found, format!("the unit of time (`time_unit = s` if that is right, {})", each.join(", "))))
        }
    }
}

/// A number in at most four digits.
fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_and_words_are_not() {
        for unit in ["rad", "deg/s", "rad/s^2", "m/s²", "N*m", "N·m", "°", "msec", "S", "%", "-", "kg*m/s^2", "°C"]
        {
            assert!(is_unit(unit), "{unit}");
        }
        for word in ["left", "", "q1", "joint", "time", "m/left", "1.5"] {
            assert!(!is_unit(word), "{word}");
        }
    }

    #[test]
    fn the_size_and_the_steps_of_stamps_say_their_unit() {
        let guess = |first: f64, step: f64| {
            let stamps: Vec<f64> = (0..5).map(|k| first + step * f64::from(k)).collect();
            guessed(&stamps, &mut stamps.windows(2).map(|w| w[1] - w[0]).collect())
                .map(|(unit, note)| (unit, note.is_some()))
        };
        assert_eq!(guess(1.7e9, 0.02), Ok((TimeUnit::S, false)));
        assert_eq!(guess(1.7e12, 20.0), Ok((TimeUnit::Ms, true)));
        assert_eq!(guess(1.7e15, 20_000.0), Ok((TimeUnit::Us, true)));
        assert_eq!(guess(1.7e18, 2e7), Ok((TimeUnit::Ns, true)));
        assert_eq!(guess(0.0, 0.02), Ok((TimeUnit::S, false)));
        assert_eq!(guess(0.0, 1.0), Ok((TimeUnit::S, true)));
        assert_eq!(guess(0.0, 4e7), Ok((TimeUnit::Ns, true)));
        // 1 Hz in milliseconds or 1 kHz in microseconds.
        assert!(guess(0.0, 1000.0).unwrap_err().1.contains("`time_unit = us`: 1000 Hz"));
        assert!(guess(0.0, 1e-6).unwrap_err().0.contains("1000000 Hz"));
        assert_eq!(guessed(&[0.0], &mut vec![]), Ok((TimeUnit::S, None)));
    }
}
