//! The rules of the house that no compiler knows. Each rule is a function from files to findings; none of them
//! changes a file.

mod error_pages;
mod floors;
mod leftovers;
mod links;
mod modules;
mod rust;
mod sizes;
mod sleeps;

use std::path::Path;

use crate::tree::{self, Finding, SourceFile};

/// A rule and its name, as the tests show it.
type Rule = (&'static str, fn(&[SourceFile]) -> Vec<Finding>);

const RULES: [Rule; 7] = [
    ("floors", floors::check),
    ("sizes", sizes::check),
    ("error pages", error_pages::check),
    ("modules", modules::check),
    ("left-overs", leftovers::check),
    ("links", links::check),
    ("sleeps", sleeps::check),
];

/// Every finding of every rule in the tree under `root`, by rule and path.
pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let files = tree::read(root)?;
    Ok(RULES.iter().flat_map(|(_, rule)| rule(&files)).collect())
}

#[cfg(test)]
mod testing {
    //! Small bad inputs for the rules' tests.

    use crate::tree::{Finding, SourceFile};

    pub(crate) fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// What a rule says about the files, one finding a line.
    pub(crate) fn said(findings: &[Finding]) -> String {
        findings.iter().map(|finding| format!("{finding}\n")).collect()
    }
}
