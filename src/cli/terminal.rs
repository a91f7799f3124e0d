//! Prints lines and tables for a terminal of 80 columns. Without colors, so that the output is the same in a file.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};

use crate::change::text::counted;
use crate::plan::price_usd;

/// The maximum width of a table, in columns.
const WIDTH: u16 = 80;

/// The most rows of a table that are printed. [`more`] prints the number of the others.
pub(super) const MAX_ROWS: usize = 40;

/// The most characters of an example's key that are printed.
const MAX_EXAMPLE: usize = 24;

/// A line below the header and no other borders.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// The same without space for borders.
const NARROW_STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// Prints a line to standard output. A closed pipe is not an error; after any other failed write the program exits
/// with status 1.
pub(super) fn say(line: impl std::fmt::Display) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // If this write fails too, the exit status remains.
            let _ = writeln!(io::stderr(), "Error: cannot write the output: {error}");
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Prints a line to standard error.
pub(super) fn note(line: impl std::fmt::Display) {
    // A failed write is ignored: standard output may still work.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Returns an empty table with a header, in upper case.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header);
    table
}

/// Returns an empty table without header and borders.
pub(super) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

/// Reduces the space between columns to two characters.
pub(super) fn narrow(table: &mut Table) {
    table.load_style(NARROW_STYLE);
    let last = table.column_count().saturating_sub(1);
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if number == last { 0 } else { 2 }));
    }
}

/// Keeps each cell of these columns on one line. The other columns wrap if the table is too wide.
pub(super) fn keep_on_one_line(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// Right-aligns these columns, which hold numbers.
pub(super) fn right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Shortens a name to [`MAX_EXAMPLE`] characters. The end is kept, which is more specific than the start.
pub(super) fn shorten(name: &str) -> String {
    shorten_to(MAX_EXAMPLE, name)
}

/// The same, to `most` characters.
pub(super) fn shorten_to(most: usize, name: &str) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - most)).collect()
}

/// Prints how many rows of a table were left out, if any. `what` is the singular of what a row shows.
pub(super) fn more(rows: usize, what: &str) {
    if rows > MAX_ROWS {
        say(format_args!("… and {}", counted(rows - MAX_ROWS, &format!("more {what}"))));
    }
}

/// Returns the price of `paths` paths, beyond the free ones, such as `$1.235`.
pub(super) fn price(paths: usize) -> String {
    usd(price_usd(paths))
}

/// Returns an amount in US dollars, such as `$1.235`.
pub(super) fn usd(amount: f64) -> String {
    format!("${amount:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_has_three_decimals() {
        assert_eq!([0, 1, 247, 1000].map(price), ["$0.000", "$0.005", "$1.235", "$5.000"]);
    }
}
