//! Relative links in Markdown lead to files that exist. Addresses with a scheme are not visited.

use std::collections::HashSet;

use crate::tree::{Finding, SourceFile, root};

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let known: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    files.iter().filter(|file| file.is("md")).flat_map(|file| dead_links(file, &known)).collect()
}

fn dead_links(file: &SourceFile, known: &HashSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_fence = false;
    for (i, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            for target in targets(line) {
                if !leads_somewhere(&file.path, target, known) {
                    let wrong = format!("the link to `{target}` leads nowhere");
                    findings.push(Finding::new(
                        file,
                        i + 1,
                        wrong,
                        "correct the path; it is relative to this file",
                    ));
                }
            }
        }
    }
    findings
}

/// What stands in the brackets of `[text](target)`, outside of code spans.
fn targets(line: &str) -> Vec<&str> {
    // Odd parts stand between backticks; a link's text may hold code, its target may not.
    let code_starts: Vec<bool> = line
        .chars()
        .scan(false, |code, c| {
            *code ^= c == '`';
            Some(*code)
        })
        .collect();
    line.match_indices("](")
        .filter(|(at, _)| !code_starts.get(line[..*at].chars().count()).copied().unwrap_or(false))
        .filter_map(|(at, _)| line[at + 2..].split([')', ' ']).next())
        .collect()
}

fn leads_somewhere(from: &str, target: &str, known: &HashSet<&str>) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    if path.is_empty() || path.starts_with('/') || path.contains("://") || path.starts_with("mailto:") {
        return true;
    }
    let Some(path) = resolve(from, path) else { return false };
    known.contains(path.as_str()) || root().join(&path).exists()
}

/// The target as a path from the root; `None` when it leaves the tree.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut steps: Vec<&str> = from.split('/').collect();
    steps.pop();
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop()?;
            }
            name => steps.push(name),
        }
    }
    Some(steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::testing::{file, said};

    #[test]
    fn a_link_to_a_missing_file_is_found() {
        let text = "See [a](b.md#part), [gone](gone.md), [up](../README.md) and [out](../../x).\n\
                    [web](https://example.com) [served](/docs) [here](#x) `[code](no.md)`\n\
                    ```\n[in code](no.md)\n```\n[`type`](also-gone.md \"title\")";
        let files = [file("docs/a.md", text), file("docs/b.md", ""), file("README.md", "")];
        expect_test::expect![[r#"
            docs/a.md:1: the link to `gone.md` leads nowhere; correct the path; it is relative to this file
            docs/a.md:1: the link to `../../x` leads nowhere; correct the path; it is relative to this file
            docs/a.md:6: the link to `also-gone.md` leads nowhere; correct the path; it is relative to this file
        "#]]
        .assert_eq(&said(&check(&files)));
    }
}
