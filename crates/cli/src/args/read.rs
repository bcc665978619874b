//! Arguments of how logs are read.

use clap::Args;
use ebmotion::forecast::RunConfig;
use ebmotion::trajectory::{DateOrder, Fill, OnBackwards, OnGap, OnRepeat, TimeUnit};

/// How logs are read: given for `inspect` and `train`; the other verbs take it from the model and change what is given.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Reading logs")]
pub(crate) struct ReadArgs {
    /// What to do at missing time steps and NaN cells: refuse the log, or split the episode there.
    #[arg(long, value_name = "error|split", value_parser = from_word::<OnGap>)]
    pub(crate) on_gap: Option<OnGap>,
    /// Take only these channels (comma-separated names, `*` stands for any text).
    #[arg(long, value_name = "NAMES", value_parser = names)]
    pub(crate) channels: Option<Vec<Names>>,
    /// Leave these columns out (comma-separated names, `*` stands for any text).
    #[arg(long, value_name = "NAMES", value_parser = names)]
    pub(crate) ignore: Option<Vec<Names>>,
    /// Channels that are angles and wrap around (comma-separated names, `*` stands for any text), each alone or with
    /// its period, as in `roll=4096`.
    #[arg(long, value_name = "NAMES", value_parser = names)]
    pub(crate) wrap: Option<Vec<Names>>,
    /// Column of the time stamps; `SECS+NANOS` or `DATE+TIME` for two of them.
    #[arg(long, value_name = "NAME")]
    pub(crate) time_column: Option<String>,
    /// Topic of a log of ROS; NAME#N for the Nth of several streams on it.
    #[arg(long, value_name = "NAME")]
    pub(crate) topic: Option<String>,
    /// Unit of the time stamps, where neither their column's name nor their size says it.
    #[arg(long, value_name = "s|ms|us|ns", value_parser = from_word::<TimeUnit>)]
    pub(crate) time_unit: Option<TimeUnit>,
    /// Whether dates such as 05/04/2025 begin with the day or the month; found by what the log holds where it can be.
    #[arg(long, value_name = "day_first|month_first", value_parser = from_word::<DateOrder>)]
    pub(crate) date_order: Option<DateOrder>,
    /// Rows per second of a log without time stamps.
    #[arg(long, value_name = "RATE")]
    pub(crate) hz: Option<f64>,
    /// Column that numbers the episodes of a file.
    #[arg(long, value_name = "NAME")]
    pub(crate) episode_column: Option<String>,
    /// A step longer than this many typical steps is a gap; 1.5 where it is not given. From 2 on missing rows and cells
    /// are interpolated up to there.
    #[arg(long, value_name = "STEPS")]
    pub(crate) max_gap: Option<f64>,
    /// What separates the columns; found by what the log holds where it is not given.
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    /// What to do with rows at the time of another row, and of a second source in between: refuse the log, leave them
    /// out, or spread them evenly (stamps of too few digits, bursts).
    #[arg(long, value_name = "error|drop|spread", value_parser = from_word::<OnRepeat>)]
    pub(crate) on_repeat: Option<OnRepeat>,
    /// What to do where time runs backwards: refuse the log, sort the rows, or begin another episode.
    #[arg(long, value_name = "error|sort|split", value_parser = from_word::<OnBackwards>)]
    pub(crate) on_backwards: Option<OnBackwards>,
    /// Numbers are written with a decimal comma, or not; found by what the log holds where it is not given.
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) decimal_comma: Option<bool>,
    /// Names of the columns of a log without a header (comma-separated, with units as in a header).
    #[arg(long, value_name = "NAMES", value_parser = names)]
    pub(crate) header: Option<Names>,
    /// Cells that stand for a missing value (comma-separated, such as `-9999`) beside `nan`, `NA` and the like.
    #[arg(long, value_name = "CELLS", value_parser = names, allow_hyphen_values = true)]
    pub(crate) missing: Option<Vec<Names>>,
    /// Column that names the channel where each row is about one channel at one time.
    #[arg(long, value_name = "NAME")]
    pub(crate) pivot: Option<String>,
    /// How channels of several rates are brought to the rows of the fastest: by the last value before, or by lines.
    #[arg(long, value_name = "last|linear", value_parser = from_word::<Fill>)]
    pub(crate) fill: Option<Fill>,
}

/// Names that stand in one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names(Vec<String>);

/// How recordings become frames.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Frames")]
pub(crate) struct FrameArgs {
    /// Frames per second to resample to; the log's own rate where it is not given.
    #[arg(long, value_name = "HZ")]
    pub(crate) rate: Option<f64>,
    /// Leave out episodes that are too short for a window instead of refusing them.
    #[arg(long)]
    pub(crate) skip_short: bool,
    /// Episodes to leave out (comma-separated names, `*` stands for any text); a name that fits none is an error.
    #[arg(long, value_name = "EPISODES", value_delimiter = ',')]
    pub(crate) exclude: Option<Vec<String>>,
}

impl ReadArgs {
    /// Sets what was given.
    pub(crate) fn apply(&self, config: &mut RunConfig) {
        let read = &mut config.data.read;
        if let Some(v) = self.on_gap {
            read.on_gap = v;
        }
        let all = |given: &[Names]| given.iter().flat_map(|names| names.0.clone()).collect::<Vec<_>>();
        if let Some(v) = &self.channels {
            read.channels = Some(all(v));
        }
        for (given, setting) in
            [(&self.ignore, &mut read.ignore), (&self.wrap, &mut read.wrap), (&self.missing, &mut read.missing)]
        {
            if let Some(v) = given {
                *setting = all(v);
            }
        }
        for (given, setting) in [
            (&self.time_column, &mut read.time_column),
            (&self.episode_column, &mut read.episode_column),
            (&self.pivot, &mut read.pivot),
        ] {
            if given.is_some() {
                setting.clone_from(given);
            }
        }
        if let Some(v) = &self.topic {
            read.topic = Some(v.clone());
        }
        if let Some(Names(v)) = &self.header {
            read.header = Some(v.clone());
        }
        read.time_unit = self.time_unit.or(read.time_unit);
        read.date_order = self.date_order.or(read.date_order);
        read.hz = self.hz.or(read.hz);
        read.fill = self.fill.or(read.fill);
        if let Some(v) = self.max_gap {
            read.max_gap = v;
        }
        if let Some(v) = self.on_repeat {
            read.on_repeat = v;
        }
        if let Some(v) = self.on_backwards {
            read.on_backwards = v;
        }
        read.delimiter = self.delimiter.or(read.delimiter);
        read.decimal_comma = self.decimal_comma.or(read.decimal_comma);
    }
}

impl FrameArgs {
    /// Sets what was given.
    pub(crate) fn apply(&self, config: &mut RunConfig) {
        if self.rate.is_some() {
            config.data.rate_hz = self.rate;
        }
        config.data.skip_short |= self.skip_short;
        if let Some(v) = &self.exclude {
            config.data.exclude_episodes.clone_from(v);
        }
    }
}

/// `q1,"f, tip"`: names between commas; one that holds commas stands in quotes, within which `""` is a quote.
fn names(text: &str) -> std::result::Result<Names, String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => name.extend(letters.next()),
            '"' if quoted || name.is_empty() => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            _ => name.push(letter),
        }
    }
    names.push(name);
    if quoted { Err("expected a closing quote".into()) } else { Ok(Names(names)) }
}

/// The value that a setting has under this name.
fn from_word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    let value: std::result::Result<T, serde::de::value::Error> =
        T::deserialize(serde::de::value::StrDeserializer::new(text));
    value.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_commas_in_quotes() {
        for (text, expected) in [
            ("q1,q2", &["q1", "q2"][..]),
            ("\"f, tip\",q*", &["f, tip", "q*"]),
            ("a\"b", &["a\"b"]),
            ("\"say \"\"x\"\"\"", &["say \"x\""]),
            ("", &[""]),
        ] {
            assert_eq!(names(text).unwrap().0, expected, "{text}");
        }
        assert!(names("\"q1,q2").is_err());
    }

    #[test]
    fn words_are_those_of_the_settings() {
        assert_eq!(from_word::<TimeUnit>("ms"), Ok(TimeUnit::Ms));
        assert_eq!(from_word::<Fill>("linear"), Ok(Fill::Linear));
        assert!(from_word::<Fill>("cubic").unwrap_err().contains("`last` or `linear`"));
    }
}
