//! Tests never sleep: they step a clock or wait for the thing itself. Covers test binaries and inline test modules.

use super::rust;
use crate::tree::{Finding, SourceFile};

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files.iter().filter(|file| file.is("rs")).flat_map(sleeps).collect()
}

fn sleeps(file: &SourceFile) -> Vec<Finding> {
    let whole = file.path.contains("/tests/");
    let inline = if whole { Vec::new() } else { rust::parse(file).unwrap_or_default().test_lines };
    let lines = file.text.lines().enumerate().map(|(i, line)| (i + 1, line));
    lines
        .filter(|(number, _)| whole || inline.iter().any(|lines| lines.contains(number)))
        .filter(|(_, line)| is_sleep(line))
        .map(|(number, _)| {
            Finding::new(file, number, "a test sleeps", "step the clock, or wait for what it waits for")
        })
        .collect()
}

/// A call of a function `sleep`, or its import; methods of that name belong to manual clocks.
fn is_sleep(line: &str) -> bool {
    let code = line.trim_start();
    let calls = concat!("sl", "eep(");
    !code.starts_with("//")
        && (code.contains(concat!("thread::sl", "eep"))
            || code.contains(concat!("time::sl", "eep"))
            || code.match_indices(calls).any(|(at, _)| {
                !code[..at].chars().next_back().is_some_and(|c| c == '.' || c == '_' || c.is_alphanumeric())
            }))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::testing::{file, said};

    #[test]
    fn a_sleep_is_found_in_tests_and_only_there() {
        let call = concat!("tokio::time::sl", "eep(d).await;");
        let bare = concat!("sl", "eep(d);");
        let files = [
            file(
                "crates/a/tests/it/main.rs",
                &format!("fn f() {{\n    {call}\n    clock.{bare}\n    // {call}\n    {bare}\n}}"),
            ),
            file(
                "crates/a/src/lib.rs",
                &format!("fn f() {{ {call} }}\n#[cfg(test)]\nmod tests {{\n    fn g() {{ {call} }}\n}}"),
            ),
        ];
        expect_test::expect![[r#"
            crates/a/tests/it/main.rs:2: a test sleeps; step the clock, or wait for what it waits for
            crates/a/tests/it/main.rs:5: a test sleeps; step the clock, or wait for what it waits for
            crates/a/src/lib.rs:4: a test sleeps; step the clock, or wait for what it waits for
        "#]]
        .assert_eq(&said(&check(&files)));
    }
}
