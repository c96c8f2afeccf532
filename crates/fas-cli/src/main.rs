//! The program `fas`.

fn main() {}
