//! Functions fit a screen, files fit a head, and no parameter is a bare yes or no.

use super::rust;
use crate::tree::{Finding, SourceFile};

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 600;

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let code = files.iter().filter(|file| (file.is("rs") || file.is_typescript()) && !file.is_generated());
    code.flat_map(|file| {
        let functions = if file.is("rs") { rust_functions(file) } else { typescript_functions(file) };
        file_length(file).into_iter().chain(functions)
    })
    .collect()
}

fn file_length(file: &SourceFile) -> Option<Finding> {
    let lines = file.text.lines().count();
    (lines > FILE_LINES_MAX).then(|| {
        let wrong = format!("the file has {lines} lines, more than {FILE_LINES_MAX}");
        Finding::new(file, lines, wrong, "split it where its subject splits")
    })
}

fn rust_functions(file: &SourceFile) -> Vec<Finding> {
    let functions = rust::parse(file).unwrap_or_default().functions;
    let mut findings = Vec::new();
    for function in functions {
        let start = *function.lines.start();
        findings.extend(too_long(file, &function.name, start, function.lines.count()));
        for parameter in function.bools {
            let wrong = format!("`{parameter}` of `{}` is a bool", function.name);
            findings.push(Finding::new(
                file,
                start,
                wrong,
                "take an enum with two names, or make two functions",
            ));
        }
    }
    findings
}

/// By indentation, which the formatter guarantees: a block ends at the first line that is indented as it began.
fn typescript_functions(file: &SourceFile) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().collect();
    let opens = |line: &str| line.ends_with('{') && (line.contains("function") || line.contains("=>"));
    let indent = |line: &str| line.len() - line.trim_start().len();
    lines
        .iter()
        .enumerate()
        .filter(|(_, line)| opens(line))
        .filter_map(|(start, opening)| {
            let closes = |line: &&str| line.trim_start().starts_with('}') && indent(line) == indent(opening);
            let length = lines[start + 1..].iter().position(closes)? + 2;
            too_long(file, opening.trim().trim_end_matches('{').trim(), start + 1, length)
        })
        .collect()
}

fn too_long(file: &SourceFile, name: &str, start: usize, lines: usize) -> Option<Finding> {
    (lines > FUNCTION_LINES_MAX).then(|| {
        let wrong = format!("`{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}");
        Finding::new(file, start, wrong, "give its steps names and make them functions")
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::testing::{file, said};

    #[test]
    fn long_functions_and_long_files_are_found() {
        let long_body = "    x();\n".repeat(69);
        let fitting_body = "    x();\n".repeat(68);
        let files = [
            file(
                "a.rs",
                &format!(
                    "/// Docs\n/// do not count.\nfn long() {{\n{long_body}}}\nfn fits() {{\n{fitting_body}}}\n"
                ),
            ),
            file(
                "b.ts",
                &format!(
                    "export function long() {{\n{long_body}}}\nconst fits = () => {{\n{fitting_body}}};\n"
                ),
            ),
            file("c.rs", &"//! x\n".repeat(601)),
            file("d.rs", &"//! x\n".repeat(600)),
            file("generated/e.gen.ts", &"x\n".repeat(601)),
        ];
        expect_test::expect![[r#"
            a.rs:3: `long` has 71 lines, more than 70; give its steps names and make them functions
            b.ts:1: `export function long()` has 71 lines, more than 70; give its steps names and make them functions
            c.rs:601: the file has 601 lines, more than 600; split it where its subject splits
        "#]]
        .assert_eq(&said(&check(&files)));
    }

    #[test]
    fn a_bool_parameter_is_found_where_the_author_had_a_choice() {
        let text = "fn f(deep: bool) {}\ntrait T { fn g(&self, b: bool) {} }\nimpl T for X { fn g(&self, b: bool) {} }\n\
                    impl X { fn h(&self, n: u8, wide: bool) {} }\nfn k(x: Option<bool>) {}";
        expect_test::expect![[r#"
            a.rs:1: `deep` of `f` is a bool; take an enum with two names, or make two functions
            a.rs:2: `b` of `g` is a bool; take an enum with two names, or make two functions
            a.rs:4: `wide` of `h` is a bool; take an enum with two names, or make two functions
        "#]]
        .assert_eq(&said(&check(&[file("a.rs", text)])));
    }
}
