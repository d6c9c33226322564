//! Every body that the given one may have been before somebody changed it on the way to the check.
//!
//! Likely changes first, each with the words for it. Bodies are made one at a time, so that a search which finds
//! its match early has made few.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::json::{Layout, Order, Strings, Tree, respell, string_value};
use super::words::FindingCode::{self, *};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One change between the given body and the one that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) code: FindingCode,
    /// Completes "The signature fits the body …".
    pub(super) phrase: &'static str,
}

/// A body that may have been signed, and what separates the given one from it.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) changes: Vec<Change>,
}

/// The changed bodies, without the given one itself.
pub(super) fn candidates(body: &[u8]) -> impl Iterator<Item = Candidate<'_>> {
    let unmarked = body.strip_prefix(BOM).unwrap_or(body);
    let text = std::str::from_utf8(unmarked).ok();
    let json = text.and_then(|text| Some(Rewriter { text, tree: Tree::parse(text)? }));
    endings(body).chain(whole_changes(body)).chain(json.into_iter().flat_map(Rewriter::candidates))
}

fn changed<'a>(bytes: impl Into<Cow<'a, [u8]>>, code: FindingCode, phrase: &'static str) -> Candidate<'a> {
    Candidate { bytes: bytes.into(), changes: vec![Change { code, phrase }] }
}

/// The body with other white space around it, whatever it is.
fn endings(body: &[u8]) -> impl Iterator<Item = Candidate<'_>> {
    let trimmed = body.trim_ascii_end();
    let around = [
        changed(trimmed, BodyEnd, "without the white space at its end"),
        changed(body.trim_ascii(), BodyEnd, "without the white space around it"),
        changed([body, b"\n"].concat(), BodyEnd, "with a line break (`\\n`) added at its end"),
        changed([trimmed, b"\n"].concat(), BodyEnd, "with one line break (`\\n`) at its end"),
        changed([trimmed, b"\r\n"].concat(), BodyEnd, "with a Windows line break (`\\r\\n`) at its end"),
    ];
    around.into_iter()
}

/// Changes of all bytes at once, by transports, editors and character sets.
fn whole_changes(body: &[u8]) -> impl Iterator<Item = Candidate<'_>> {
    let text = std::str::from_utf8(body).ok();
    let crlf = text.map(|text| text.replace("\r\n", "\n"));
    let found = [
        crlf.as_ref().map(|lf| {
            changed(lf.replace('\n', "\r\n").into_bytes(), BodyLineEndings, "with `\\r\\n` line ends")
        }),
        crlf.as_ref().map(|lf| changed(lf.clone().into_bytes(), BodyLineEndings, "with `\\n` line ends")),
        body.strip_prefix(BOM)
            .map(|bare| changed(bare, BodyByteOrderMark, "without the byte order mark before it")),
        Some(changed([BOM, body].concat(), BodyByteOrderMark, "with a byte order mark before it")),
        text.and_then(from_latin_1).map(|bytes| changed(bytes, BodyCharset, "read as UTF-8 once, not twice")),
        Some(changed(to_utf8_again(body), BodyCharset, "with its UTF-8 taken for Latin-1 and encoded again")),
        text.and_then(unquoted)
            .map(|bytes| changed(bytes, BodyJsonString, "freed from the JSON string around it")),
        text.and_then(unbase64).map(|bytes| changed(bytes, BodyBase64, "decoded from base64")),
        Some(changed(&b""[..], EmptyBodySigned, "left out altogether")),
    ];
    found.into_iter().flatten()
}

/// Undoes reading UTF-8 bytes as Latin-1 characters.
fn from_latin_1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

fn to_utf8_again(body: &[u8]) -> Vec<u8> {
    body.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
}

fn unquoted(text: &str) -> Option<Vec<u8>> {
    match Tree::parse(text)? {
        Tree::Leaf(literal) => Some(string_value(literal)?.into_bytes()),
        _ => None,
    }
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok().filter(|bytes| !bytes.is_empty())
}

/// Makes JSON that another program may have written of the same value.
struct Rewriter<'a> {
    text: &'a str,
    tree: Tree<'a>,
}

#[derive(Debug, Clone, Copy)]
struct Style {
    /// `None`: white space and order stay.
    layout: Option<(Layout, Order)>,
    strings: Strings,
    /// Put after the value; `None`: what is there stays.
    ending: Option<&'static str>,
}

const LAYOUTS: [Layout; 5] = [
    Layout::Compact,
    Layout::Spaced,
    Layout::Indented("  "),
    Layout::Indented("    "),
    Layout::Indented("\t"),
];
const STRINGS: [Strings; 7] = [
    Strings::Kept,
    Strings::Shortest,
    Strings::Ascii,
    Strings::AsciiAndSlashes,
    Strings::Slashes,
    Strings::Html,
    Strings::DotNet,
];

impl Style {
    /// All styles but the one that changes nothing; fewer changes first.
    fn all() -> Vec<Self> {
        let orders = [Order::Kept, Order::Sorted];
        let laid = orders.into_iter().flat_map(|order| LAYOUTS.map(|layout| Some((layout, order))));
        let layouts: Vec<_> = std::iter::once(None).chain(laid).collect();
        let mut styles = Vec::new();
        for strings in STRINGS {
            for layout in &layouts {
                for ending in [None, Some("\n"), Some("\r\n")] {
                    styles.push(Self { layout: *layout, strings, ending });
                }
            }
        }
        styles.retain(|style| !style.changes().is_empty());
        styles.sort_by_key(|style| style.changes().len());
        styles
    }

    fn changes(self) -> Vec<Change> {
        let layout =
            self.layout.map(|(layout, _)| Change { code: BodyReformatted, phrase: layout_phrase(layout) });
        let sorted = matches!(self.layout, Some((_, Order::Sorted)))
            .then_some(Change { code: BodyKeyOrder, phrase: "with the keys of its objects sorted" });
        let strings = strings_phrase(self.strings).map(|phrase| Change { code: BodyEscapes, phrase });
        let ending = self.ending.map(|_| Change { code: BodyEnd, phrase: "with one line break at its end" });
        [layout, sorted, strings, ending].into_iter().flatten().collect()
    }
}

fn layout_phrase(layout: Layout) -> &'static str {
    match layout {
        Layout::Compact => "without white space in its JSON, as JavaScript's `JSON.stringify` writes it",
        Layout::Spaced => "with a space after each comma and colon, as Python's `json.dumps` writes it",
        Layout::Indented("  ") => "pretty-printed with two spaces",
        Layout::Indented("\t") => "pretty-printed with tabs",
        Layout::Indented(_) => "pretty-printed with four spaces",
    }
}

fn strings_phrase(strings: Strings) -> Option<&'static str> {
    Some(match strings {
        Strings::Kept => return None,
        Strings::Shortest => "with no character escaped that need not be, as JavaScript writes it",
        Strings::Ascii => "with non-ASCII characters as `\\u` escapes, as Python writes it",
        Strings::AsciiAndSlashes => {
            "with non-ASCII characters as `\\u` escapes and slashes as `\\/`, as PHP writes it"
        }
        Strings::Slashes => "with slashes as `\\/`, as PHP writes it",
        Strings::Html => "with `<`, `>` and `&` as `\\u` escapes, as Go writes it",
        Strings::DotNet => "with quotes, HTML and non-ASCII characters as `\\u` escapes, as .NET writes it",
    })
}

impl<'a> Rewriter<'a> {
    fn candidates(self) -> impl Iterator<Item = Candidate<'a>> {
        Style::all().into_iter().map(move |style| Candidate {
            bytes: Cow::Owned(self.write(style).into_bytes()),
            changes: style.changes(),
        })
    }

    fn write(&self, style: Style) -> String {
        let laid = match style.layout {
            Some((layout, order)) => self.tree.write(layout, order),
            None => self.text.to_owned(),
        };
        let mut written = respell(&laid, style.strings);
        if let Some(ending) = style.ending {
            written.truncate(written.trim_end().len());
            written.push_str(ending);
        }
        written
    }
}
