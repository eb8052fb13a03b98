//! Migrations are compiled in by a macro that cargo cannot see through: a new file alone must rebuild.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    // For `tests/fuzz/guide` cargo builds the program too, which nobody runs: it counts branches, but has no fuzzer to
    // tell them to.
    if std::env::var_os("CARGO_CFG_GUIDED").is_some() {
        println!("cargo:rustc-link-arg-bins=-Wl,--unresolved-symbols=ignore-all");
    }
}
