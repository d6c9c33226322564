//! Embeds every file of `catalogue/`. It reads names only, never contents; the crate's tests judge those.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../catalogue");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files: Vec<PathBuf> =
        fs::read_dir(&root)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| {
        path.extension().is_some_and(|ext| ext == "json")
            && path.file_stem().is_some_and(|stem| stem != "index")
    });
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("files.rs");
    fs::write(out, source(&root, &files)?)
}

fn source(root: &Path, files: &[PathBuf]) -> io::Result<String> {
    let mut text =
        format!("const INDEX: &str = include_str!({:?});\n", root.join("index.json").canonicalize()?);
    text.push_str("const FILES: &[(&str, &str)] = &[\n");
    for path in files {
        let stem = path.file_stem().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    ({stem:?}, include_str!({:?})),", path.canonicalize()?);
    }
    text.push_str("];\n");
    Ok(text)
}
