//! Prints lines and tables, and on a terminal in its width and with colors.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use console::Term;
use serde::Serialize;

use crate::change::text::{counted, json_line};
use crate::plan::price_usd;

/// The most rows of a table that are printed. [`more`] prints the number of the others.
pub(super) const MAX_ROWS: usize = 40;

/// The most characters of an example's key that are printed.
const MAX_EXAMPLE: usize = 24;

/// The fewest characters to which a name is shortened so that a table fits.
const MIN_NAME: usize = 16;

/// The spaces between two columns.
const GAP: usize = 2;

/// A line below the header, two spaces between columns, and no other borders.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

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

/// Prints a value as one line of JSON to standard output.
pub(super) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(json_line(&serde_json::to_string(value)?));
    Ok(())
}

/// Prints a line to standard error.
pub(super) fn note(line: impl std::fmt::Display) {
    // A failed write is ignored: standard output may still work.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints a warning to standard error.
pub(super) fn warn(message: impl std::fmt::Display) {
    note(format_args!("{} {message}", console::style("Warning:").yellow().for_stderr()));
}

/// Prints the function's warnings as those of the command. Its errors are the command's own, which are printed at the end.
pub(super) struct FunctionLog;

impl Write for FunctionLog {
    /// Writes one line of the log.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(warning) = String::from_utf8_lossy(line).strip_prefix("WARN ") {
            warn(warning.trim());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints an error to standard error.
pub(super) fn error(message: impl std::fmt::Display) {
    note(format_args!("{} {message}", console::style("Error:").red().for_stderr()));
}

/// Prints a table, in the width of the terminal. Where standard output is none, such as a file or a pipe, no cell
/// wraps.
pub(super) fn print(mut table: Table) {
    table.force_no_tty();
    if console::colors_enabled() {
        table.enforce_styling();
    }
    say(rendered(table, width()));
}

/// Prints a table that has names in its first column, and shortens them if it would be wider than the terminal. `build`
/// makes it with at most so many characters of a name.
pub(super) fn print_with_names(build: impl Fn(usize) -> Table) {
    print(fitted(width(), build));
}

/// The table that fits this width, if a width is given.
pub(super) fn fitted(width: Option<u16>, build: impl Fn(usize) -> Table) -> Table {
    let table = build(usize::MAX);
    let widths: Vec<_> = table.column_max_content_widths().into_iter().map(usize::from).collect();
    let total = widths.iter().map(|it| it + GAP).sum::<usize>().saturating_sub(GAP);
    match (width, widths.first()) {
        (Some(width), Some(names)) if total > usize::from(width) => {
            build(names.saturating_sub(total - usize::from(width)).max(MIN_NAME))
        }
        _ => table,
    }
}

/// The number of columns of the terminal; `None` if standard output is none.
pub(super) fn width() -> Option<u16> {
    Term::stdout().size_checked().map(|(_, columns)| columns).filter(|columns| *columns > 0)
}

/// A table as text, with at most this many columns if a width is given.
pub(super) fn rendered(mut table: Table, width: Option<u16>) -> String {
    match width {
        Some(width) if least_width(&table) <= width.into() => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width)
        }
        // The terminal itself wraps lines that are too long.
        _ => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    let last = table.column_count().saturating_sub(1);
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if number == last { 0 } else { 2 }));
    }
    table.trim_fmt()
}

/// The least width of a table in which no word is broken.
fn least_width(table: &Table) -> usize {
    let whole = table.column_max_content_widths();
    let columns = table.column_iter().zip(whole).enumerate().map(|(number, (column, whole))| {
        if column.constraint() == Some(&ColumnConstraint::ContentWidth) {
            return usize::from(whole);
        }
        let cells = table.column_cells_with_header_iter(number).flatten().map(Cell::content);
        let longest = |cell: String| cell.split_whitespace().map(|word| word.chars().count()).max();
        cells.filter_map(longest).max().unwrap_or_default()
    });
    columns.map(|it| it + GAP).sum::<usize>().saturating_sub(GAP)
}

/// Returns an empty table with a header, in upper case.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = plain_table();
    table.load_style(STYLE).set_header(header);
    table
}

/// Returns an empty table without header and borders.
pub(super) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table
}

/// A cell of something that is right.
pub(super) fn good(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::DarkGreen)
}

/// A cell of something that is wrong, which starts with `!`.
pub(super) fn bad(text: impl std::fmt::Display) -> Cell {
    Cell::new(format_args!("! {text}")).fg(Color::DarkRed)
}

/// A cell with a line of a difference: `+` added, `-` removed.
pub(super) fn difference(line: String) -> Cell {
    let color = match line.as_bytes().first() {
        Some(b'+') => Some(Color::DarkGreen),
        Some(b'-') => Some(Color::DarkRed),
        _ => None,
    };
    let cell = Cell::new_owned(line);
    match color {
        Some(color) => cell.fg(color),
        None => cell,
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
    fn no_word_is_broken_on_a_terminal() {
        let build = |key: &str| {
            let mut rows = table(&["KEY", "REASON"]);
            rows.add_row([key, "cache behavior * sends requests to origin"]);
            keep_on_one_line(&mut rows, &[0]);
            rows
        };
        let shown = rendered(build("a.txt"), Some(24));
        assert_eq!(
            shown,
            "KEY    REASON\n────────────────────────\na.txt  cache behavior *\n       sends requests to\n       origin"
        );
        let long = "blog/2026/12/a-post-about-caches.html";
        for width in [Some(40), None] {
            let shown = rendered(build(long), width);
            assert!(shown.ends_with(&format!("{long}  cache behavior * sends requests to origin")), "{shown}");
        }
    }

    #[test]
    fn a_price_has_three_decimals() {
        assert_eq!([0, 1, 247, 1000].map(price), ["$0.000", "$0.005", "$1.235", "$5.000"]);
    }
}
