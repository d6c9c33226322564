//! Nothing that says "later" is committed.

use crate::tree::{Finding, SourceFile};

/// Spelt in two halves, since this file is checked too.
const FORBIDDEN: [&str; 4] =
    [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("db", "g!("), concat!("FIX", "ME")];

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let code = files.iter().filter(|file| file.is("rs") || file.is_typescript());
    code.flat_map(|file| file.text.lines().enumerate().map(move |(i, line)| (file, i + 1, line)))
        .flat_map(|(file, number, line)| {
            let found = FORBIDDEN.iter().filter(move |word| contains_word(line, word));
            found.map(move |word| {
                Finding::new(
                    file,
                    number,
                    format!("`{}` is a left-over", word.trim_end_matches('(')),
                    "finish it or take it out",
                )
            })
        })
        .collect()
}

/// Not as the end of a longer word.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::{FORBIDDEN, check};
    use crate::tidy::testing::{file, said};

    #[test]
    fn each_left_over_is_found_where_it_is() {
        let text = format!("fn f() {{\n    {})\n}}\n// {} later", FORBIDDEN[0], FORBIDDEN[3]);
        let files = [file("a.rs", &text), file("b.rs", "my_todo!()"), file("c.md", FORBIDDEN[3])];
        let expected = format!(
            "a.rs:2: `{}!` is a left-over; finish it or take it out\na.rs:4: `{}` is a left-over; finish it or take it out\n",
            concat!("to", "do"),
            FORBIDDEN[3]
        );
        assert_eq!(said(&check(&files)), expected);
    }
}
