//! Prints the comparison with other tools' rules: as a Markdown table with `scripts/bench comparison`, as an SVG chart
//! with `scripts/bench picture`.

#![expect(clippy::print_stdout, reason = "it prints its results")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "its inputs are constants")]

#[path = "comparison/mod.rs"]
mod comparison;

fn main() {
    let picture = std::env::args().any(|it| it == "--picture");
    print!("{}", if picture { comparison::picture::picture() } else { comparison::table() });
}
