//! Files with the same channels while they are looked at: what every check is given.

use super::counts::{Counts, counts};
use super::episode::{Stretch, rate_hz};
use super::facts::Facts;
use super::joint::JointLimits;
use super::piece::Piece;
use crate::error::Error;
use crate::read::ReadOptions;
use crate::read::table::Table;
use crate::read::{Repairs, episodes_of};
use crate::{Channel, Recording, Values};

/// Files with the same channels.
pub(super) struct Group<'a> {
    pub tables: &'a [(String, Table)],
    pub channels: &'a [Channel],
    pub stretches: Vec<Stretch<'a>>,
    /// Of each channel.
    pub facts: Vec<Facts>,
    /// What a channel counts, if it is an index or a stamp.
    pub counts: Vec<Option<Counts>>,
    pub options: &'a ReadOptions,
    pub limits: &'a [JointLimits],
    /// Why reading refuses the files; `None` where it takes them.
    pub refusal: Option<Error>,
    /// The rate that training uses, or would use when the order of rows is mended.
    pub rate_hz: Option<f64>,
}

impl<'a> Group<'a> {
    pub fn new(tables: &'a [(String, Table)], options: &'a ReadOptions, limits: &'a [JointLimits]) -> Self {
        let mut stretches = Vec::new();
        let mut offset = 0;
        for (stem, table) in tables {
            stretches.extend(table.runs.iter().map(|run| Stretch::new(stem, table, run, offset)));
            offset += table.rows();
        }
        let channels = tables.first().map_or(&[][..], |(_, table)| &table.channels);
        let (rate, refusal) = match read(tables, options) {
            Ok(rate) => (rate, None),
            Err(refusal) => (rate_hz(stretches.iter().flat_map(Stretch::as_read)), Some(refusal)),
        };
        let (facts, counted) = (Vec::new(), Vec::new());
        let mut group =
            Self { tables, channels, stretches, facts, counts: counted, options, limits, refusal, rate_hz: rate };
        group.facts = (0..channels.len()).map(|c| Facts::of(&group.pieces(c))).collect();
        group.counts = (0..channels.len()).map(|c| counts(&group.facts[c], &group.pieces(c))).collect();
        group
    }

    /// The values of a channel by time, where they are finite numbers.
    pub fn pieces(&self, c: usize) -> Vec<Piece<'_>> {
        let width = self.channels.len();
        let of = |stretch: &'_ Stretch<'a>, rows: &[usize]| -> (Vec<usize>, Vec<f64>) {
            let value = |row: usize| stretch.table.values[row * width + c];
            rows.iter().map(|row| (*row, value(*row))).filter(|(_, v)| v.is_finite()).unzip()
        };
        let mut pieces = Vec::new();
        for stretch in &self.stretches {
            for rows in stretch.pieces() {
                let (rows, values) = of(stretch, &rows);
                if !values.is_empty() {
                    pieces.push(Piece { stretch, rows, values });
                }
            }
        }
        pieces
    }

    /// All finite values of a channel, in the order of the files.
    pub fn all_values(&self, c: usize) -> impl Iterator<Item = (&Stretch<'a>, usize, f64)> + Clone {
        let width = self.channels.len();
        let of = move |stretch: &'_ Stretch<'a>, row: usize| stretch.table.values[row * width + c];
        self.stretches
            .iter()
            .flat_map(move |stretch| stretch.run.rows.clone().map(move |row| (stretch, row, of(stretch, row))))
            .filter(|(.., value)| value.is_finite())
    }

    /// The unit of a channel as a suffix: ` rad`.
    pub fn unit(&self, c: usize) -> String {
        self.channels[c].unit.as_ref().map_or_else(String::new, |unit| format!(" {unit}"))
    }
}

/// Reads the files as training does, for its rate.
fn read(tables: &[(String, Table)], options: &ReadOptions) -> Result<Option<f64>, Error> {
    let (mut reference, mut repairs) = (None, Repairs::default());
    let mut episodes = Vec::new();
    for (stem, table) in tables {
        let read = episodes_of(stem, &mut table.clone(), options, &mut reference, &mut repairs)?;
        episodes.extend(read.into_iter().map(|episode| crate::Episode { values: Values::default(), ..episode }));
    }
    Ok(Recording { channels: Vec::new(), episodes, sources: Vec::new(), notes: Vec::new(), parts: Default::default() }
        .rate_hz()
        .ok())
}
