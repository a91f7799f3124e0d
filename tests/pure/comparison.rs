//! The comparison with other tools' rules: what it promises, and its table in the documents.

#[path = "../../benches/comparison/mod.rs"]
mod comparison;

#[test]
fn show() {
    println!("{}", comparison::table());
}
