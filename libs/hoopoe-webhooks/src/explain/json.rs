//! Writing a JSON text again as another program would have written it, token by token.
//!
//! Numbers, literals and (unless asked) strings stay as they are; nothing is understood, only laid out. Text that
//! is no JSON, or nested too deeply, gives nothing.

use std::fmt::Write;

/// Deeper nesting is not followed, so that recursion stays small.
const DEPTH_MAX: usize = 100;

/// White space between the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Compact,
    /// A space after every comma and colon.
    Spaced,
    Indented(&'static str),
}

/// Order of an object's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Kept,
    Sorted,
}

/// How strings spell characters that may be escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    Kept,
    /// Only what must be: JavaScript, and most others.
    Shortest,
    /// Non-ASCII characters too: Python.
    Ascii,
    /// Slashes too: PHP with `JSON_UNESCAPED_UNICODE`.
    Slashes,
    /// Non-ASCII characters and slashes: PHP.
    AsciiAndSlashes,
    /// `<`, `>`, `&` and the two Unicode line separators too: Go, Rails.
    Html,
    /// Non-ASCII characters, quotes, `<`, `>`, `&`, `'`, `+` and the back quote, in upper-case hex: System.Text.Json.
    DotNet,
}

/// A parsed text whose leaves are slices of the original.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tree<'a> {
    /// A string with its quotes, a number, or a literal.
    Leaf(&'a str),
    Array(Vec<Tree<'a>>),
    Object(Vec<(&'a str, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    /// One JSON value with nothing but white space around it.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parser = Parser { rest: text.trim_start_matches(WHITE) };
        let tree = parser.value(DEPTH_MAX)?;
        parser.rest.is_empty().then_some(tree)
    }

    /// The text in another layout, without a line break at its end.
    pub(super) fn write(&self, layout: Layout, order: Order) -> String {
        let mut out = String::new();
        Writer { layout, order, out: &mut out }.value(self, 0);
        out
    }
}

const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Option<Tree<'a>> {
        let depth = depth.checked_sub(1)?;
        match self.rest.as_bytes().first()? {
            b'{' => {
                let members = self.list('{', '}', |parser| {
                    let key = parser.string()?;
                    parser.skip(':')?;
                    Some((key, parser.value(depth)?))
                })?;
                Some(Tree::Object(members))
            }
            b'[' => Some(Tree::Array(self.list('[', ']', |parser| parser.value(depth))?)),
            b'"' => Some(Tree::Leaf(self.string()?)),
            _ => Some(Tree::Leaf(self.scalar()?)),
        }
    }

    fn list<T>(&mut self, open: char, close: char, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.skip(open)?;
        let mut items = Vec::new();
        if self.skip(close).is_some() {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.skip(close).is_some() {
                return Some(items);
            }
            self.skip(',')?;
        }
    }

    fn string(&mut self) -> Option<&'a str> {
        let end = string_end(self.rest)?;
        Some(self.take(end))
    }

    fn scalar(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
        let end = end.unwrap_or(self.rest.len());
        (end > 0).then(|| self.take(end))
    }

    fn skip(&mut self, token: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?.trim_start_matches(WHITE);
        Some(())
    }

    fn take(&mut self, end: usize) -> &'a str {
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start_matches(WHITE);
        token
    }
}

/// The length of the string literal that `text` begins with.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if at == 0 => {}
            _ if at == 0 => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

struct Writer<'o> {
    layout: Layout,
    order: Order,
    out: &'o mut String,
}

impl Writer<'_> {
    fn value(&mut self, tree: &Tree<'_>, level: usize) {
        match tree {
            Tree::Leaf(text) => self.out.push_str(text),
            Tree::Array(items) => {
                self.list("[]", level, items.iter(), |writer, item| writer.value(item, level + 1));
            }
            Tree::Object(members) => self.object(members, level),
        }
    }

    fn object(&mut self, members: &[(&str, Tree<'_>)], level: usize) {
        let mut members: Vec<_> = members.iter().collect();
        if self.order == Order::Sorted {
            members.sort_by_key(|(key, _)| *key);
        }
        self.list("{}", level, members.into_iter(), |writer, (key, value)| {
            writer.out.push_str(key);
            writer.out.push_str(if writer.layout == Layout::Compact { ":" } else { ": " });
            writer.value(value, level + 1);
        });
    }

    fn list<T>(
        &mut self,
        brackets: &str,
        level: usize,
        items: impl ExactSizeIterator<Item = T>,
        item: impl Fn(&mut Self, T),
    ) {
        let empty = items.len() == 0;
        self.out.push_str(&brackets[..1]);
        for (index, each) in items.enumerate() {
            if index > 0 {
                self.out.push_str(if self.layout == Layout::Spaced { ", " } else { "," });
            }
            self.line_break(level + 1);
            item(self, each);
        }
        if !empty {
            self.line_break(level);
        }
        self.out.push_str(&brackets[1..]);
    }

    fn line_break(&mut self, level: usize) {
        if let Layout::Indented(by) = self.layout {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(by, level));
        }
    }
}

/// The text with every string literal in it spelled in the given way; all else stays. `text` must be JSON.
pub(super) fn respell(text: &str, strings: Strings) -> String {
    if strings == Strings::Kept {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let (before, literal) = rest.split_at(start);
        let Some(end) = string_end(literal) else { break };
        out.push_str(before);
        out.push('"');
        for unit in char::decode_utf16(units(&literal[1..end - 1])) {
            match unit {
                Ok(char) => spell(char, strings, &mut out),
                Err(half) => escape(half.unpaired_surrogate(), strings, &mut out),
            }
        }
        out.push('"');
        rest = &literal[end..];
    }
    out.push_str(rest);
    out
}

/// What a string literal stands for; `None` if it is another leaf.
pub(super) fn string_value(literal: &str) -> Option<String> {
    let inside = literal.strip_prefix('"')?.strip_suffix('"')?;
    Some(String::from_utf16_lossy(&units(inside)))
}

/// What a literal's inside stands for, in UTF-16, where an escaped half of a surrogate pair has its place.
fn units(inside: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => units.push(unescape(&mut chars)),
            plain => units.extend_from_slice(plain.encode_utf16(&mut [0; 2])),
        }
    }
    units
}

/// Reads the rest of an escape, of which the backslash is gone; one that JSON does not know stands for itself.
fn unescape(chars: &mut std::str::Chars<'_>) -> u16 {
    match chars.next() {
        Some('b') => 0x08,
        Some('t') => 0x09,
        Some('n') => 0x0a,
        Some('f') => 0x0c,
        Some('r') => 0x0d,
        Some('u') => {
            let digits = chars.by_ref().take(4).map_while(|c| c.to_digit(16));
            digits.fold(0, |unit, digit| unit << 4 | u16::try_from(digit).unwrap_or(0))
        }
        Some(other) => u16::try_from(u32::from(other)).unwrap_or(0xfffd),
        None => 0xfffd,
    }
}

fn spell(char: char, strings: Strings, out: &mut String) {
    use Strings::{Ascii, AsciiAndSlashes, DotNet, Html, Slashes};
    let short = match char {
        '"' if strings == DotNet => None,
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        '\u{8}' => Some("\\b"),
        '\t' => Some("\\t"),
        '\n' => Some("\\n"),
        '\u{c}' => Some("\\f"),
        '\r' => Some("\\r"),
        '/' if matches!(strings, Slashes | AsciiAndSlashes) => Some("\\/"),
        _ => None,
    };
    let long = match strings {
        Ascii | AsciiAndSlashes => !char.is_ascii(),
        Html => matches!(char, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'),
        DotNet => !(' '..='~').contains(&char) || "\"<>&'+`".contains(char),
        _ => false,
    };
    match short {
        Some(short) => out.push_str(short),
        None if long || char < ' ' => {
            char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escape(*unit, strings, out));
        }
        None => out.push(char),
    }
}

fn escape(unit: u16, strings: Strings, out: &mut String) {
    let written = match strings {
        Strings::DotNet => write!(out, "\\u{unit:04X}"),
        _ => write!(out, "\\u{unit:04x}"),
    };
    written.expect("a String takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, layout: Layout, order: Order) -> String {
        Tree::parse(text).expect("the table holds JSON").write(layout, order)
    }

    #[test]
    fn every_layout_keeps_numbers_strings_and_order() {
        let text = r#"{ "b":[1.50,-2e+3, {}, []] ,"a" : {"x":"\u00e9\/","y":null} }"#;
        for (layout, expected) in [
            (Layout::Compact, r#"{"b":[1.50,-2e+3,{},[]],"a":{"x":"\u00e9\/","y":null}}"#),
            (Layout::Spaced, r#"{"b": [1.50, -2e+3, {}, []], "a": {"x": "\u00e9\/", "y": null}}"#),
            (
                Layout::Indented("  "),
                "{\n  \"b\": [\n    1.50,\n    -2e+3,\n    {},\n    []\n  ],\n  \"a\": {\n    \"x\": \"\\u00e9\\/\",\n    \"y\": null\n  }\n}",
            ),
        ] {
            assert_eq!(written(text, layout, Order::Kept), expected);
        }
    }

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let sorted = written(r#"{"b":1,"a":[{"d":1,"c":2}]}"#, Layout::Compact, Order::Sorted);
        assert_eq!(sorted, r#"{"a":[{"c":2,"d":1}],"b":1}"#);
    }

    #[test]
    fn what_is_no_json_or_too_deep_has_no_tree() {
        for text in ["", "{", "{\"a\"}", "[1,]", "{\"a\":1}x", "\"open", "{a:1}"] {
            assert_eq!(Tree::parse(text), None, "{text}");
        }
        assert_eq!(Tree::parse(&"[".repeat(100_000)), None);
        assert!(Tree::parse(&format!("{}{}", "[".repeat(99), "]".repeat(99))).is_some());
    }

    #[test]
    fn strings_are_spelled_as_other_programs_spell_them() {
        // Each expected text is what the named program writes for the same value.
        let text = r#"{"é/":"<\ud83d\ude00> & \"q\" \ud800 \u001f\t+"}"#;
        for (strings, expected) in [
            (Strings::Kept, text),
            (Strings::Shortest, "{\"é/\":\"<😀> & \\\"q\\\" \\ud800 \\u001f\\t+\"}"),
            (Strings::Ascii, r#"{"\u00e9/":"<\ud83d\ude00> & \"q\" \ud800 \u001f\t+"}"#),
            (Strings::Slashes, "{\"é\\/\":\"<😀> & \\\"q\\\" \\ud800 \\u001f\\t+\"}"),
            (Strings::AsciiAndSlashes, r#"{"\u00e9\/":"<\ud83d\ude00> & \"q\" \ud800 \u001f\t+"}"#),
            (Strings::Html, "{\"é/\":\"\\u003c😀\\u003e \\u0026 \\\"q\\\" \\ud800 \\u001f\\t+\"}"),
            (
                Strings::DotNet,
                r#"{"\u00E9/":"\u003C\uD83D\uDE00\u003E \u0026 \u0022q\u0022 \uD800 \u001F\t\u002B"}"#,
            ),
        ] {
            assert_eq!(respell(text, strings), expected, "{strings:?}");
        }
    }
}
