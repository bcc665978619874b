//! Dates as people write them: which of their numbers is the day and which the month.

use super::super::ReadOptions;
use super::super::options::DateOrder;
use super::columns::Columns;
use super::iso::Order;
use super::time::{Kind, secs};
use crate::error::Result;

/// The order of the dates in column `i`, each turned into a stamp of this kind by `stamp`: by the option, or by a
/// number that can be no month.
///
/// # Errors
/// [`crate::Error::Log`] where nothing says it, or cells contradict each other.
pub(super) fn order(
    columns: &Columns,
    i: usize,
    kind: impl Fn(Order) -> Kind,
    stamp: impl Fn(&str) -> String,
    options: &ReadOptions,
    notes: &mut Vec<String>,
) -> Result<Order> {
    use DateOrder::{DayFirst, MonthFirst};
    let cells = || columns.sample(i).filter(|cell| !cell.is_empty());
    let is = |cell: &str, order: Order| secs(&stamp(cell), kind(order)).is_some();
    let Some(first) = cells().next().filter(|cell| !is(cell, Order::Year)) else { return Ok(Order::Year) };
    if let Some(said) = options.date_order {
        return Ok(Order::YearLast(said));
    }
    let only = |order: DateOrder, other: DateOrder| {
        cells().find(|cell| is(cell, Order::YearLast(order)) && !is(cell, Order::YearLast(other)))
    };
    let name = &columns.names[i];
    let ways = "`date_order = day_first` or `date_order = month_first` decides";
    let (order, why) = match (only(DayFirst, MonthFirst), only(MonthFirst, DayFirst)) {
        (Some(day), Some(month)) => {
            let found = format!("`{day}`, with the day first, and `{month}`, with the month first");
            return Err(columns.error(Some(name), found, "dates of one order"));
        }
        (Some(day), None) => (DayFirst, format!("begin with the day: `{day}`")),
        (None, Some(month)) => (MonthFirst, format!("begin with the month: `{month}`")),
        (None, None) if first.contains('.') && first.find('.') < first.find(':') => {
            (DayFirst, format!("are taken to begin with the day, as they do with dots: `{first}`"))
        }
        (None, None) => {
            let found = format!("`{first}`, whose first number may be the day or the month");
            return Err(columns.error(Some(name), found, format!("an order of day and month ({ways})")));
        }
    };
    notes.push(format!("the dates of `{name}` {why}"));
    Ok(Order::YearLast(order))
}
