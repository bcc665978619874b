//! Dates as people write them: which of their numbers is the day and which the month.

use super::super::ReadOptions;
use super::super::options::DateOrder;
use super::columns::Columns;
use super::time::{Kind, Order, secs};
use crate::error::Result;
use std::borrow::Cow;

/// A date, with a time of day or without, as ISO 8601 has it, and where its date ends; `None` for what is none in this
/// order.
pub(super) fn iso(cell: &str, order: Order) -> Option<(Cow<'_, str>, usize)> {
    const DATE: usize = 10;
    if order == Order::Year && cell.as_bytes().get(4) == Some(&b'-') && cell.is_char_boundary(DATE) {
        return Some((cell.into(), DATE));
    }
    let (date, clock) = cell.split_at(cell.find([' ', 'T']).unwrap_or(cell.len()));
    let mark = date.chars().find(|c| !c.is_ascii_digit()).filter(|mark| ['-', '/', '.'].contains(mark))?;
    let mut numbers = date.split(mark);
    let numbers = [numbers.next()?, numbers.next()?, numbers.next().filter(|_| numbers.next().is_none())?];
    let [year, month, day] = match (order, numbers) {
        (Order::Year, [year, month, day])
        | (Order::YearLast(DateOrder::DayFirst), [day, month, year])
        | (Order::YearLast(DateOrder::MonthFirst), [month, day, year]) => [year, month, day],
    };
    let digits = |text: &str, long: std::ops::RangeInclusive<usize>| {
        long.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    let whole = digits(year, 4..=4) && digits(month, 1..=2) && digits(day, 1..=2);
    // `7:00:08` for `07:00:08`.
    let (between, clock) = clock.split_at(clock.len().min(1));
    let pad = if clock.find(':') == Some(1) { "0" } else { "" };
    whole.then(|| (format!("{year}-{month:0>2}-{day:0>2}{between}{pad}{clock}").into(), DATE))
}

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
