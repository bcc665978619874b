//! What the library calls a setting, the command line calls an option.

/// Settings that messages of the library name, and the options that set them.
const OPTIONS: [(&str, &str); 13] = [
    ("beside", "--beside"),
    ("channels", "--channels"),
    ("delimiter", "--delimiter"),
    ("device", "--device"),
    ("false_alarms", "--false-alarms"),
    ("hz", "--hz"),
    ("ignore", "--ignore"),
    ("on_gap", "--on-gap"),
    ("overwrite", "--overwrite"),
    ("rate_hz", "--rate"),
    ("resume", "--resume"),
    ("time_column", "--time-column"),
    ("wrap", "--wrap"),
];

/// A message of the library in the words of the command line: `` `on_gap = split` `` becomes `` `--on-gap split` ``,
/// `` `resume = true` `` becomes `` `--resume` ``, and a setting at fault is told by its option.
pub(crate) fn named(message: &str) -> String {
    OPTIONS.iter().fold(message.to_string(), |text, (setting, option)| {
        text.replace(&format!("`{setting} = true`"), &format!("`{option}`"))
            .replace(&format!("`{setting} = "), &format!("`{option} "))
            .replace(&format!("setting `{setting}`"), &format!("setting `{option}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    #[test]
    fn settings_are_told_by_their_options() {
        let message = "setting `device`: found `resume`, expected (`on_gap = split` splits, `resume = true` goes on)";
        let expected = "setting `--device`: found `resume`, expected (`--on-gap split` splits, `--resume` goes on)";
        assert_eq!(named(message), expected);
        let known: Vec<String> = Cli::command()
            .get_subcommands()
            .flat_map(|verb| verb.get_arguments().filter_map(|a| a.get_long()).map(|long| format!("--{long}")))
            .collect();
        for (_, option) in OPTIONS {
            assert!(known.iter().any(|k| k == option), "{option}");
        }
    }
}
