//! Dates as people write them, as ISO 8601 has them.

use super::super::options::DateOrder;
use std::borrow::Cow;

/// What a date begins with: the year, or of dates that end in it the day or the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `2025-04-17`, `2025/04/17`.
    Year,
    /// `17.04.2025`, `04/17/2025`.
    YearLast(DateOrder),
}

impl Order {
    pub const ALL: [Self; 3] = [Self::Year, Self::YearLast(DateOrder::DayFirst), Self::YearLast(DateOrder::MonthFirst)];
}

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
