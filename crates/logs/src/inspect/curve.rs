//! The course of a channel in few points, to be drawn.

use super::group::Group;

/// Points across at most.
const POINTS: usize = 800;

/// The course of a channel over all rows of a group, in the order of the files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// Rows that each point stands for; the last one may stand for fewer.
    pub rows_per_point: usize,
    /// Least and largest value of each point; `None` where there is no finite number.
    pub points: Vec<Option<(f64, f64)>>,
}

pub(super) fn curve(group: &Group<'_>, c: usize) -> Curve {
    let width = group.channels.len();
    let rows: usize = group.tables.iter().map(|(_, table)| table.rows()).sum();
    let rows_per_point = rows.div_ceil(POINTS).max(1);
    let mut points = vec![None; rows.div_ceil(rows_per_point)];
    let values = group.tables.iter().flat_map(|(_, table)| table.values.iter().skip(c).step_by(width));
    for (row, value) in values.enumerate().filter(|(_, v)| v.is_finite()) {
        let point = &mut points[row / rows_per_point];
        let (low, high) = point.unwrap_or((*value, *value));
        *point = Some((low.min(*value), high.max(*value)));
    }
    Curve { rows_per_point, points }
}
