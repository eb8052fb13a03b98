//! Hands the command line to [`taskbridge::cli`].

fn main() {}
