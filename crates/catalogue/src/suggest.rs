//! "Did you mean …?" for misspelt type names. Bounded work: it runs on whatever a stranger sends.

use crate::event_type::TypeIndex;

/// Longest name that is compared; the longest built-in one has 35 characters.
const NAME_LENGTH_MAX: usize = 64;

/// The known name with the fewest edits, at most a third of the given name's length, letter case ignored.
pub(crate) fn closest<'k>(
    name: &str,
    known: impl Iterator<Item = (&'k str, TypeIndex)>,
) -> Option<TypeIndex> {
    if name.is_empty() || name.len() > NAME_LENGTH_MAX {
        return None;
    }
    let wanted = name.to_ascii_lowercase();
    let edits_max = (wanted.len() / 3).max(1);
    known
        .map(|(known_as, index)| (edits(wanted.as_bytes(), known_as.to_ascii_lowercase().as_bytes()), index))
        .filter(|(edits, _)| *edits <= edits_max)
        .min()
        .map(|(_, index)| index)
}

/// Levenshtein distance over bytes, one row at a time.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
