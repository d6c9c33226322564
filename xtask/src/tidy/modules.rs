//! Every Rust file begins with `//!`: what it is for and what it must not do.

use crate::tree::{Finding, SourceFile};

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| file.is("rs") && !file.is_generated() && !file.text.starts_with("//! "))
        .map(|file| {
            Finding::new(
                file,
                1,
                "the module has no `//!` at its beginning",
                "say in a line or two what it is for and what it must not do",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::testing::{file, said};

    #[test]
    fn a_module_without_its_purpose_is_found() {
        let files = [
            file("crates/a/src/good.rs", "//! Good for something.\nfn f() {}"),
            file("crates/a/src/late.rs", "use std::fmt;\n//! Too late."),
            file("crates/a/src/empty.rs", ""),
            file("crates/a/src/generated/x.rs", "fn f() {}"),
            file("docs/a.md", "no module"),
        ];
        expect_test::expect![[r#"
            crates/a/src/late.rs:1: the module has no `//!` at its beginning; say in a line or two what it is for and what it must not do
            crates/a/src/empty.rs:1: the module has no `//!` at its beginning; say in a line or two what it is for and what it must not do
        "#]]
        .assert_eq(&said(&check(&files)));
    }
}
