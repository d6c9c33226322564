//! Files that a program writes from the sources of truth. `write` renews them, `check` proves them fresh; both
//! work from the same list, so nothing can be written that is not checked.

mod event_pages;
mod fields;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::tree::Finding;

const REMEDY: &str = "run `cargo run -p xtask -- gen` and commit the result";

/// What one generator makes: some files, and the folders that hold nothing else.
#[derive(Debug, Default)]
struct Output {
    /// Path from the root, and text.
    files: Vec<(String, String)>,
    /// Folders, from the root, in which every file is one of `files`.
    owned_folders: Vec<&'static str>,
}

type Generator = fn() -> anyhow::Result<Output>;

/// One line for each kind of generated file. `openapi.json` (what `hoopoe openapi` prints) and the console's
/// types join here.
const GENERATORS: [Generator; 1] = [event_pages::generate];

/// Writes every generated file under `root` and removes those that nothing generates any more.
pub fn write(root: &Path) -> anyhow::Result<()> {
    for generator in GENERATORS {
        let output = generator()?;
        for path in strays(root, &output)? {
            fs::remove_file(root.join(&path)).with_context(|| format!("removing {path}"))?;
        }
        for (path, text) in &output.files {
            let path = root.join(path);
            if fs::read_to_string(&path).is_ok_and(|old| old == *text) {
                continue;
            }
            fs::create_dir_all(path.parent().unwrap_or(root))?;
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Every file that is missing, differs from what `write` would write, or should not be there.
pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for generator in GENERATORS {
        findings.extend(stale(root, &generator()?)?);
    }
    Ok(findings)
}

fn stale(root: &Path, output: &Output) -> anyhow::Result<Vec<Finding>> {
    let finding = |path: &str, line, wrong: &str| Finding {
        path: path.to_owned(),
        line,
        wrong: wrong.to_owned(),
        remedy: REMEDY.to_owned(),
    };
    let differing =
        output.files.iter().filter_map(|(path, text)| match fs::read_to_string(root.join(path)) {
            Err(_) => Some(finding(path, 1, "the generated file is missing")),
            Ok(old) if old != *text => {
                Some(finding(path, first_difference(&old, text), "the generated file is stale"))
            }
            Ok(_) => None,
        });
    let mut findings: Vec<Finding> = differing.collect();
    findings.extend(strays(root, output)?.iter().map(|path| finding(path, 1, "nothing generates this file")));
    Ok(findings)
}

fn first_difference(old: &str, new: &str) -> usize {
    1 + old.lines().zip(new.lines()).take_while(|(old, new)| old == new).count()
}

/// Files in the generator's own folders that it did not make.
fn strays(root: &Path, output: &Output) -> anyhow::Result<Vec<String>> {
    let made: BTreeSet<&str> = output.files.iter().map(|(path, _)| path.as_str()).collect();
    let mut strays = Vec::new();
    for folder in &output.owned_folders {
        // A folder that is not there yet holds nothing.
        for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
            let path = format!("{folder}/{}", entry?.file_name().to_string_lossy());
            if !made.contains(path.as_str()) {
                strays.push(path);
            }
        }
    }
    strays.sort();
    Ok(strays)
}

#[cfg(test)]
mod tests {
    use super::{Output, stale};

    #[test]
    fn missing_stale_and_stray_files_are_found() {
        let root = std::env::temp_dir().join(format!("xtask-generate-{}", std::process::id()));
        std::fs::create_dir_all(root.join("pages")).unwrap();
        std::fs::write(root.join("pages/old.md"), "one\ntwo\n").unwrap();
        std::fs::write(root.join("pages/stray.md"), "").unwrap();
        let output = Output {
            files: vec![
                ("pages/old.md".to_owned(), "one\n2\n".to_owned()),
                ("pages/new.md".to_owned(), String::new()),
            ],
            owned_folders: vec!["pages"],
        };
        let findings = stale(&root, &output);
        std::fs::remove_dir_all(&root).unwrap();
        expect_test::expect![[r#"
            pages/old.md:2: the generated file is stale; run `cargo run -p xtask -- gen` and commit the result
            pages/new.md:1: the generated file is missing; run `cargo run -p xtask -- gen` and commit the result
            pages/stray.md:1: nothing generates this file; run `cargo run -p xtask -- gen` and commit the result
        "#]]
        .assert_eq(&findings.unwrap().iter().map(|finding| format!("{finding}\n")).collect::<String>());
    }
}
