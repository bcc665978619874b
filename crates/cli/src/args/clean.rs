//! Arguments of `ebmotion clean`.

use super::{ReadArgs, SamplerArgs};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion clean arm.safetensors log.csv -o cleaned.csv                            noise as the log shows it
  ebmotion clean arm.safetensors logs/ --noise 0.002 -o cleaned.parquet            2 mrad in every channel
  ebmotion clean arm.safetensors log.csv --noise 'q_wrist*=0.01,q_elbow=0' -o cleaned.csv
  ebmotion clean arm.safetensors log.csv -o cleaned.json && ebmotion view cleaned.json -o cleaned.rrd

The output is a log at the model's rate: for every frame the mean of what the model takes the motion to have been, by
what was seen before and after, so nothing lags. Missing rows and cells are filled. Noise is taken to be normal and new
in each frame. Where its size is not given it is estimated: what goes beyond the noise in the logs of the training.")]
pub(crate) struct CleanArgs {
    /// A model that `train` wrote.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Log files, folders of them, patterns in quotes (`'run*.csv'`), or `-` for standard input.
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,
    /// Standard deviation of the noise, in the channels' units: of all channels, or of those that NAMES fits (`*`
    /// stands for any text); 0 keeps a channel as it is. Estimated for channels that are not named.
    #[arg(long, value_name = "STD|NAMES=STD", value_delimiter = ',', value_parser = noise)]
    pub(crate) noise: Vec<(Option<String>, f64)>,
    /// Draws behind each mean and standard deviation.
    #[arg(long, default_value_t = 32)]
    pub(crate) samples: usize,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) sampler: SamplerArgs,
    /// Where the cleaned log is written: .csv, .csv.gz, .mcap, .parquet or .json (what `view` reads).
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Where the standard deviation that is left in each value is written, as a log.
    #[arg(long, value_name = "FILE")]
    pub(crate) std: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

/// `0.01` or `q_*=0.01`.
fn noise(text: &str) -> Result<(Option<String>, f64), String> {
    let (names, number) = match text.rsplit_once('=') {
        Some((names, number)) => (Some(names.to_string()), number),
        None => (None, text),
    };
    match number.parse::<f64>() {
        Ok(std) if std.is_finite() && std >= 0.0 => Ok((names, std)),
        _ => Err("expected a standard deviation, 0 or more, or NAMES=STD".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::noise;

    #[test]
    fn noise_is_a_number_or_names_with_one() {
        assert_eq!(noise("0.5"), Ok((None, 0.5)));
        assert_eq!(noise("q_*=1e-3"), Ok((Some("q_*".into()), 1e-3)));
        for bad in ["", "x", "-1", "q=", "q=-2", "inf", "q=nan"] {
            assert!(noise(bad).unwrap_err().contains("standard deviation"), "{bad}");
        }
    }
}
