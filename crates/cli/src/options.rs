//! What the library calls a setting, the command line calls an option.

/// Settings that messages of the library name, and the options that set them.
const OPTIONS: &[(&str, &str)] = &[
    ("beside", "--beside"),
    ("channels", "--channels"),
    ("constraint", "--constraint"),
    ("date_order", "--date-order"),
    ("decimal_comma", "--decimal-comma"),
    ("delimiter", "--delimiter"),
    ("device", "--device"),
    ("episode_column", "--episode-column"),
    ("exclude_episodes", "--exclude"),
    ("false_alarms", "--false-alarms"),
    ("false_discoveries", "--false-discoveries"),
    ("fill", "--fill"),
    ("gap", "--gap"),
    ("header", "--header"),
    ("hz", "--hz"),
    ("ignore", "--ignore"),
    ("link", "--link"),
    ("max_gap", "--max-gap"),
    ("missing", "--missing"),
    ("on_backwards", "--on-backwards"),
    ("on_gap", "--on-gap"),
    ("on_repeat", "--on-repeat"),
    ("overwrite", "--overwrite"),
    ("pivot", "--pivot"),
    ("rate_hz", "--rate"),
    ("resume", "--resume"),
    ("time_column", "--time-column"),
    ("time_unit", "--time-unit"),
    ("topic", "--topic"),
    ("urdf", "--urdf"),
    ("wrap", "--wrap"),
];

/// A message of the library in the words of the command line: `` `on_gap = split` `` becomes `` `--on-gap split` ``,
/// `` `resume = true` `` becomes `` `--resume` ``, `` `decimal_comma = false` `` becomes `` `--decimal-comma=false` ``,
/// and a setting at fault is told by its option.
pub(crate) fn named(message: &str) -> String {
    OPTIONS.iter().fold(message.to_string(), |text, (setting, option)| {
        text.replace(&format!("`{setting} = true`"), &format!("`{option}`"))
            .replace(&format!("`{setting} = false`"), &format!("`{option}=false`"))
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
        let message = "setting `device`: found `resume`, expected (`on_gap = split` splits, `resume = true` goes on, \
                       `decimal_comma = false` too)";
        let expected = "setting `--device`: found `resume`, expected (`--on-gap split` splits, `--resume` goes on, \
                        `--decimal-comma=false` too)";
        assert_eq!(named(message), expected);
        let known: Vec<String> = Cli::command()
            .get_subcommands()
            .flat_map(|verb| verb.get_arguments().filter_map(|a| a.get_long()).map(|long| format!("--{long}")))
            .collect();
        for (_, option) in OPTIONS {
            assert!(known.iter().any(|k| k == *option), "{option}");
        }
    }
}
