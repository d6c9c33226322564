//! The built console is embedded as it lies there; `cargo build` never builds it. An empty folder stands in for one that was
//! not built, so that the crate compiles on a machine without Node.js.

use std::path::Path;

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    if let Err(error) = std::fs::create_dir_all(&dist) {
        println!("cargo::error=cannot create {}: {error}", dist.display());
    }
    println!("cargo::rerun-if-changed={}", dist.display());
}
