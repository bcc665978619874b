//! Tables as text: CSV and its dialects.

mod batches;
mod cell;
mod columns;
mod dates;
mod dialect;
mod encoding;
mod entries;
mod iso;
mod layout;
mod long;
mod names;
mod pivot;
mod records;
mod rows;
mod sheet;
mod sparse;
mod stamps;
mod time;

use super::table::Table;
use super::{Input, ReadOptions};
use crate::error::Result;
use dialect::Dialect;
use encoding::Encoding;
use layout::Layout;

/// Whatever no other format claims may be a table as text.
pub(super) fn is(input: &Input, head: &[u8]) -> bool {
    !input.is_folder() && (Encoding::of(head) != Encoding::Utf8 || !head.iter().take(8).any(|byte| *byte == 0))
}

/// Reads a table as text.
pub(super) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    // The file's digest is taken while its rows are read.
    std::thread::scope(|threads| {
        let record = threads.spawn(|| input.record(&[]));
        let dialect = Dialect::of(input, options)?;
        let layout = Layout::new(input, &dialect, options)?;
        let (mut sheet, keys) = rows::read(input, &dialect, &layout, options)?;
        if let Some(column) = layout.pivot {
            sheet = long::pivoted(sheet, &keys, &dialect.names[column], input, options)?;
        }
        let record = record.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        sheet.leave_out();
        sparse::join(&mut sheet, input, options)?;
        sheet.table(input, record)
    })
}
