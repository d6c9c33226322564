//! JSON for looking at: a borrowed tree of the published bytes, which keeps numbers as they were written and
//! duplicate keys as they came. Never used to write a payload.

mod parse;
mod representation;

use std::borrow::Cow;
use std::collections::HashSet;

pub(crate) use parse::{SyntaxFault, parse};
pub(crate) use representation::Borrowed;

/// Objects up to this size are searched for duplicates by comparing all pairs, larger ones through a set.
const PAIRWISE_MAX: usize = 12;

pub(crate) type Member<'a> = (Cow<'a, str>, Tree<'a>);

/// One JSON value. Numbers stay text: what no machine type holds (`1e999`) is valid JSON all the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Tree<'a>>),
    Object(Vec<Member<'a>>),
}

impl Tree<'_> {
    /// The kind with its article, as sentences name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Tree::Null => "null",
            Tree::Bool(_) => "a boolean",
            Tree::Number(_) => "a number",
            Tree::String(_) => "a string",
            Tree::Array(_) => "an array",
            Tree::Object(_) => "an object",
        }
    }

    /// The value at an RFC 6901 pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Self> {
        let steps = pointer.split('/').skip(1);
        steps.into_iter().try_fold(self, |tree, step| match tree {
            Tree::Array(items) => items.get(step.parse::<usize>().ok()?),
            Tree::Object(members) => {
                let name = step.replace("~1", "/").replace("~0", "~");
                find(members, &name)
            }
            _ => None,
        })
    }
}

/// The first member of this name.
pub(crate) fn find<'t, 'a>(members: &'t [Member<'a>], name: &str) -> Option<&'t Tree<'a>> {
    members.iter().find(|(known_as, _)| known_as == name).map(|(_, value)| value)
}

/// `parent` with one more step, escaped as in RFC 6901.
pub(crate) fn pointer_to(parent: &str, name: &str) -> String {
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Whether two members of one object share a name.
pub(crate) fn repeats(members: &[Member<'_>]) -> bool {
    if members.len() <= PAIRWISE_MAX {
        return members.iter().enumerate().any(|(i, (name, _))| members[..i].iter().any(|(n, _)| n == name));
    }
    let mut seen = HashSet::with_capacity(members.len());
    !members.iter().all(|(name, _)| seen.insert(&**name))
}

/// Pointers of the names that occur more than once in their object, each once, in document order.
pub(crate) fn duplicates(tree: &Tree<'_>, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    collect_duplicates(tree, "", most, &mut found);
    found
}

fn collect_duplicates(tree: &Tree<'_>, pointer: &str, most: usize, found: &mut Vec<String>) {
    match tree {
        Tree::Array(items) => {
            for (i, item) in items.iter().enumerate().filter(|(_, item)| item.is_container()) {
                collect_duplicates(item, &format!("{pointer}/{i}"), most, found);
            }
        }
        Tree::Object(members) => {
            let (mut seen, mut told) = (HashSet::new(), HashSet::new());
            for (name, value) in members {
                if !seen.insert(&**name) && told.insert(&**name) && found.len() < most {
                    found.push(pointer_to(pointer, name));
                }
                if value.is_container() {
                    collect_duplicates(value, &pointer_to(pointer, name), most, found);
                }
            }
        }
        _ => {}
    }
}

impl Tree<'_> {
    fn is_container(&self) -> bool {
        matches!(self, Tree::Array(_) | Tree::Object(_))
    }
}
