//! Lines and tables for a person at a terminal of 80 columns. Without colours, so the same in a file.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// How wide a table may be, in columns.
const WIDTH: u16 = 80;

/// How many rows of a table are shown; the rest is counted.
pub(super) const MAX_ROWS: usize = 40;

/// How many characters of an object's name are shown.
const MAX_EXAMPLE: usize = 24;

/// A line below the header and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// Prints a line. Nobody reading on (a closed pipe) is no error; what cannot be written otherwise ends the program.
pub(super) fn say(line: impl std::fmt::Display) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // Where this cannot be written either, the exit status tells.
            let _ = writeln!(io::stderr(), "Error: cannot write the output: {error}");
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Tells something beside the output.
pub(super) fn note(line: impl std::fmt::Display) {
    // Where this cannot be written either, the output still can.
    let _ = writeln!(io::stderr(), "{line}");
}

/// An empty table.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header);
    table
}

/// An empty table without a header or lines.
pub(super) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

/// Leaves little between the columns.
pub(super) fn narrow(table: &mut Table) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
}

/// Aligns columns of numbers.
pub(super) fn right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The end of a name, which tells more than its start.
pub(super) fn shorten(name: &str) -> String {
    shorten_to(MAX_EXAMPLE, name)
}

/// The same, of at most so many characters.
pub(super) fn shorten_to(most: usize, name: &str) -> String {
    let all = name.chars().count();
    if all <= most {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(all + 1 - most)).collect()
}

/// A number of things, in words.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Tells how many rows of a table were left out.
pub(super) fn more(rows: usize, what: &str) {
    if rows > MAX_ROWS {
        say(format_args!("… and {} more {what}", rows - MAX_ROWS));
    }
}
