//! Arguments of how logs are read.

use clap::Args;
use ebmotion::forecast::RunConfig;
use ebmotion::trajectory::OnGap;

/// How logs are read: given for `inspect` and `train`; the other verbs take it from the model and change what is given.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Reading logs")]
pub(crate) struct ReadArgs {
    /// What to do at missing time steps and NaN cells: refuse the log, or split the episode there.
    #[arg(long, value_name = "error|split", value_parser = on_gap)]
    pub(crate) on_gap: Option<OnGap>,
    /// Take only these channels (comma-separated names, `*` stands for any text).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) channels: Option<Vec<String>>,
    /// Leave these columns out (comma-separated names, `*` stands for any text).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) ignore: Option<Vec<String>>,
    /// Channels that are angles and wrap around (comma-separated names, `*` stands for any text).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) wrap: Option<Vec<String>>,
    /// Column of the time stamps.
    #[arg(long, value_name = "NAME")]
    pub(crate) time_column: Option<String>,
    /// Column that numbers the episodes of a file.
    #[arg(long, value_name = "NAME")]
    pub(crate) episode_column: Option<String>,
    /// A step longer than this many median steps is a gap; 1.5 where it is not given.
    #[arg(long, value_name = "STEPS")]
    pub(crate) max_gap: Option<f64>,
    /// What separates the columns; a comma where it is not given.
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    /// Numbers are written with a decimal comma.
    #[arg(long)]
    pub(crate) decimal_comma: bool,
    /// Rows per second of a log without times.
    #[arg(long, value_name = "HZ")]
    pub(crate) hz: Option<f64>,
}

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
}

impl ReadArgs {
    /// Sets what was given.
    pub(crate) fn apply(&self, config: &mut RunConfig) {
        let read = &mut config.data.read;
        if let Some(v) = self.on_gap {
            read.on_gap = v;
        }
        if let Some(v) = &self.channels {
            read.channels = Some(v.clone());
        }
        if let Some(v) = &self.ignore {
            read.ignore.clone_from(v);
        }
        if let Some(v) = &self.wrap {
            read.wrap.clone_from(v);
        }
        if let Some(v) = &self.time_column {
            read.time_column = Some(v.clone());
        }
        if let Some(v) = &self.episode_column {
            read.episode_column = Some(v.clone());
        }
        if let Some(v) = self.max_gap {
            read.max_gap = v;
        }
        if let Some(v) = self.delimiter {
            read.delimiter = v;
        }
        read.decimal_comma |= self.decimal_comma;
        if self.hz.is_some() {
            read.hz = self.hz;
        }
    }
}

impl FrameArgs {
    /// Sets what was given.
    pub(crate) fn apply(&self, config: &mut RunConfig) {
        if self.rate.is_some() {
            config.data.rate_hz = self.rate;
        }
        config.data.skip_short |= self.skip_short;
    }
}

fn on_gap(text: &str) -> std::result::Result<OnGap, String> {
    match text {
        "error" => Ok(OnGap::Error),
        "split" => Ok(OnGap::Split),
        _ => Err("expected `error` or `split`".into()),
    }
}
