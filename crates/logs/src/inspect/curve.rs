//! The course of a channel in few points, to be drawn.

use super::group::Group;
use super::report::ChannelCurve;

/// Points across at most.
const POINTS: usize = 800;

pub(super) fn curve(group: &Group<'_>, c: usize) -> ChannelCurve {
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
    ChannelCurve { rows_per_point, points }
}
