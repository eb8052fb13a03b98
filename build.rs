//! Migrations are compiled in by a macro that cargo cannot see through: a new file alone must rebuild.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
