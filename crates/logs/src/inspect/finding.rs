//! What a finding is: its kind, how grave it is, where it lies, what was seen and what helps.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// Places that a finding lists at most; it counts all.
pub(super) const PLACES: usize = 100;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// Probably wrong: a model would learn it, or a forecast begin from it.
    Warning,
    /// Reading refuses the log, or a value can be no measurement.
    Error,
}

impl Severity {
    /// Name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A table of kinds: each with its name in JSON and what it means.
macro_rules! kinds {
    ($($kind:ident $name:literal: $doc:literal,)+) => {
        /// What may be found in a log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum FindingKind {
            $(#[doc = $doc] $kind,)+
        }

        impl FindingKind {
            /// All kinds, in the order in which findings of one severity stand.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// Name, as in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// What it means, one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$kind => $doc,)+
                }
            }
        }
    };
}

kinds! {
    Refused "refused": "Reading refuses the log with these settings; the message says why.",
    DifferentChannels "different_channels": "The files hold different sets of channels.",
    BadTime "bad_time": "Rows have no finite time.",
    ImpossibleValue "impossible_value": "A value is larger than any measurement can be.",
    ClockJump "clock_jump": "The clock was set: time jumps while the motion goes on.",
    MixedRates "mixed_rates": "Episodes, or parts of one, run at different rates.",
    TwoPublishers "two_publishers": "Two sources of different values alternate in one log.",
    UnlikelyRate "unlikely_rate": "The rate is one that robots do not log at: the unit of time may be another.",
    SwappedRows "swapped_rows": "Two neighbouring rows stand in the wrong order.",
    BackwardRows "backward_rows": "Rows stand after later ones.",
    DuplicatedRow "duplicated_row": "A row is an earlier one again, time and values.",
    RepeatedStamp "repeated_stamp": "Rows have the time of another row and other values.",
    RoundedStamps "rounded_stamps": "Time stamps are coarser than the rows are close.",
    Gap "gap": "Several rows in a row are missing.",
    DroppedRows "dropped_rows": "Single rows, or two in a row, are missing.",
    Jitter "jitter": "Steps of time scatter.",
    MissingValues "missing_values": "Cells hold no finite number.",
    Spike "spike": "Single readings lie far from those before and after.",
    Wrap "wrap": "An angle jumps by a whole period.",
    Stuck "stuck": "A channel that always changes keeps exactly one value while others move.",
    DegreesForRadians "degrees_for_radians": "Values are larger than a joint's angle in rad can be.",
    OutsideLimits "outside_limits": "Values lie outside the joint's limits.",
    TooFast "too_fast": "Steps are faster than the joint's limit.",
    Counter "counter": "A channel counts rows or time: an index and no motion.",
    Copy "copy": "A channel is another one again, exactly or scaled.",
    TooFewFrames "too_few_frames": "There are fewer frames than so many channels need.",
    Saturated "saturated": "A moving channel is cut off at its largest or smallest value.",
    Quantised "quantised": "A channel moves in visible steps: its resolution is coarser than its motion.",
    Constant "constant": "A channel never changes.",
}

impl Display for FindingKind {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where something was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingPlace {
    /// The file.
    pub path: String,
    /// The episode.
    pub episode: String,
    /// 1-based line in the file (in other formats: the row or message).
    pub line: u64,
    /// Seconds since the start of the episode; `None` for a row without a time.
    pub secs: Option<f64>,
    /// Row among all rows of the group.
    #[serde(skip)]
    pub row: usize,
}

/// Something that was found in a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogFinding {
    /// What it is.
    pub kind: FindingKind,
    /// How grave it is.
    pub severity: Severity,
    /// The channel, where it concerns one.
    pub channel: Option<String>,
    /// How often it occurs.
    pub count: usize,
    /// Where: the first 100 of them, in the order of the files.
    pub places: Vec<FindingPlace>,
    /// What was seen, as numbers.
    pub figures: BTreeMap<&'static str, f64>,
    /// What was seen, in words.
    pub seen: String,
    /// What to do. A setting stands as `` `name = value` ``.
    pub advice: String,
    /// The group of files ([`Inspection::groups`](super::Inspection::groups)), from 0.
    pub group: usize,
}

impl LogFinding {
    pub(super) fn new(kind: FindingKind, severity: Severity, seen: impl Into<String>) -> Self {
        Self {
            kind,
            severity,
            channel: None,
            count: 1,
            places: Vec::new(),
            figures: BTreeMap::new(),
            seen: seen.into(),
            advice: String::new(),
            group: 0,
        }
    }

    pub(super) fn channel(mut self, name: &str) -> Self {
        self.channel = Some(name.into());
        self
    }

    pub(super) fn at(mut self, places: impl IntoIterator<Item = FindingPlace>) -> Self {
        let places: Vec<FindingPlace> = places.into_iter().collect();
        self.count = places.len().max(1);
        self.places = places.into_iter().take(PLACES).collect();
        self
    }

    pub(super) fn counted(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    pub(super) fn figure(mut self, name: &'static str, value: f64) -> Self {
        if value.is_finite() {
            self.figures.insert(name, value);
        }
        self
    }

    pub(super) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for kind in FindingKind::ALL {
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{}\"", kind.name()));
            assert!(kind.meaning().ends_with('.'));
        }
        for severity in [Severity::Note, Severity::Warning, Severity::Error] {
            assert_eq!(serde_json::to_string(&severity).unwrap(), format!("\"{}\"", severity.name()));
        }
        assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
    }
}
