//! Every stable `code` of the API has a page that explains it, and every page explains a code that exists.

use std::collections::BTreeMap;

use crate::tree::{Finding, SourceFile};

/// Where the API lists its codes, as `Name => "kebab-code", status, "Title"`.
const CODES: &str = "crates/api/src/problem/codes.rs";
const PAGES: &str = "docs/errors/";

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let pages: BTreeMap<&str, &SourceFile> =
        files.iter().filter_map(|file| Some((page_code(&file.path)?, file))).collect();
    let misnamed =
        pages.iter().filter(|(code, page)| first_line(page) != format!("# {code}")).map(|(code, page)| {
            Finding::new(
                page,
                1,
                "the page does not begin with its code",
                &format!("make `# {code}` its first line"),
            )
        });
    let mut findings: Vec<Finding> = misnamed.collect();
    let Some(table) = files.iter().find(|file| file.path == CODES) else {
        return findings;
    };
    let codes = codes(table);
    for (code, line) in &codes {
        if !pages.contains_key(code) {
            let remedy = format!("write {PAGES}{code}.md: when it happens, an example, what to do");
            findings.push(Finding::new(table, *line, format!("the code `{code}` has no page"), &remedy));
        }
    }
    for (code, page) in &pages {
        if !codes.contains_key(code) {
            let wrong = format!("no code is called `{code}`");
            findings.push(Finding::new(
                page,
                1,
                wrong,
                &format!("delete the page, or list the code in {CODES}"),
            ));
        }
    }
    findings
}

fn page_code(path: &str) -> Option<&str> {
    path.strip_prefix(PAGES)?.strip_suffix(".md").filter(|code| is_code(code))
}

fn first_line(page: &SourceFile) -> &str {
    page.text.lines().next().unwrap_or_default()
}

/// The codes of the table with their lines: kebab-case literals that follow `=>` on their line.
fn codes(table: &SourceFile) -> BTreeMap<&str, usize> {
    let rows = table.text.lines().enumerate().filter_map(|(i, line)| Some((i + 1, line.split_once("=>")?.1)));
    rows.flat_map(|(number, row)| {
        let literals = row.split('"').skip(1).step_by(2);
        literals.filter(|literal| is_code(literal)).map(move |code| (code, number))
    })
    .collect()
}

fn is_code(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::{CODES, check};
    use crate::tidy::testing::{file, said};

    #[test]
    fn codes_without_pages_and_pages_without_codes_are_found() {
        let files = [
            file(
                CODES,
                "codes! {\n    NotFound => \"not-found\", 404, \"Nothing here\";\n    Gone => \"gone-away\", 410, \"It is gone\";\n}\nconst X: &str = \"no-code\";",
            ),
            file("docs/errors/not-found.md", "# Not found"),
            file("docs/errors/old.md", "# old\n"),
        ];
        expect_test::expect![[r#"
            docs/errors/not-found.md:1: the page does not begin with its code; make `# not-found` its first line
            crates/api/src/problem/codes.rs:3: the code `gone-away` has no page; write docs/errors/gone-away.md: when it happens, an example, what to do
            docs/errors/old.md:1: no code is called `old`; delete the page, or list the code in crates/api/src/problem/codes.rs
        "#]]
        .assert_eq(&said(&check(&files)));
    }

    #[test]
    fn pages_are_not_orphans_while_there_is_no_table() {
        assert_eq!(check(&[file("docs/errors/old.md", "# old")]), []);
    }
}
