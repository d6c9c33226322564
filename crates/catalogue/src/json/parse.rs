//! RFC 8259, to the letter, over UTF-8 bytes. Strict where the grammar is, and lenient where it leaves numbers
//! without bounds. Nesting is bounded, so no input overflows the stack.

use std::borrow::Cow;

use super::{Member, Tree, repeats};
use domain::limits::PAYLOAD_DEPTH_MAX;

/// Supplementary Private Use Area-B: lone surrogates map into it one to one, so that names stay distinct.
const PRIVATE_PLANE: u32 = 0x10_0000;

/// Where the bytes stop being JSON, and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxFault {
    /// Bytes before the fault.
    pub(crate) offset: usize,
    pub(crate) detail: &'static str,
}

/// A document: its tree, and whether some object in it names a member twice.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(crate) root: Tree<'a>,
    pub(crate) has_duplicates: bool,
}

/// One pass over the bytes. Strings without escapes and all numbers borrow from them.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document<'_>, SyntaxFault> {
    let text = std::str::from_utf8(bytes).map_err(|error| SyntaxFault {
        offset: error.valid_up_to(),
        detail: "this is not UTF-8; JSON is always UTF-8",
    })?;
    let mut parser = Parser { text, bytes, at: 0, depth: 0, has_duplicates: false };
    parser.skip_space();
    match parser.peek() {
        None => return Err(parser.fault("the body is empty; a JSON object was expected")),
        Some(0xEF) if text[parser.at..].starts_with('\u{FEFF}') => {
            return Err(parser.fault("JSON does not begin with a byte order mark; leave it out"));
        }
        Some(_) => {}
    }
    let root = parser.value()?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(Document { root, has_duplicates: parser.has_duplicates }),
        Some(_) => Err(parser.fault("nothing may follow the JSON value")),
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    has_duplicates: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fault(&self, detail: &'static str) -> SyntaxFault {
        SyntaxFault { offset: self.at, detail }
    }

    /// The end of the input is its own complaint: most often a body was cut short.
    fn unexpected(&self, detail: &'static str) -> SyntaxFault {
        let detail = if self.at >= self.bytes.len() { "the JSON ends too early" } else { detail };
        self.fault(detail)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Tree<'a>, SyntaxFault> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Tree::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Tree::Number),
            Some(b't') => self.word("true", Tree::Bool(true)),
            Some(b'f') => self.word("false", Tree::Bool(false)),
            Some(b'n') => self.word("null", Tree::Null),
            _ => Err(self.unexpected("a JSON value was expected")),
        }
    }

    fn word(&mut self, word: &str, value: Tree<'a>) -> Result<Tree<'a>, SyntaxFault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.fault("a JSON value was expected; the only words are true, false and null"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Tree<'a>, SyntaxFault>,
    ) -> Result<Tree<'a>, SyntaxFault> {
        if self.depth == PAYLOAD_DEPTH_MAX {
            return Err(self.fault("arrays and objects nest deeper than 64 levels"));
        }
        self.depth += 1;
        // The opening bracket.
        self.at += 1;
        let tree = inner(self)?;
        self.depth -= 1;
        Ok(tree)
    }

    fn object(&mut self) -> Result<Tree<'a>, SyntaxFault> {
        let mut members: Vec<Member<'a>> = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Tree::Object(members));
        }
        loop {
            members.push(self.member()?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("`,` or `}` was expected after a member of an object")),
            }
        }
        self.at += 1;
        self.has_duplicates |= repeats(&members);
        Ok(Tree::Object(members))
    }

    fn member(&mut self) -> Result<Member<'a>, SyntaxFault> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a member's name in double quotes was expected"));
        }
        let name = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("`:` was expected after a member's name"));
        }
        self.at += 1;
        self.skip_space();
        Ok((name, self.value()?))
    }

    fn array(&mut self) -> Result<Tree<'a>, SyntaxFault> {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Tree::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value()?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("`,` or `]` was expected after an item of an array")),
            }
        }
        self.at += 1;
        Ok(Tree::Array(items))
    }

    fn number(&mut self) -> Result<&'a str, SyntaxFault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(self.fault("a number does not begin with 0"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), SyntaxFault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected("a digit was expected")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, SyntaxFault> {
        self.at += 1;
        let plain = self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = String::from(plain);
        loop {
            match self.peek() {
                Some(b'\\') => text.push(self.escape()?),
                _ => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
            }
            text.push_str(self.plain()?);
        }
    }

    /// The characters up to the next quote or backslash, one of which then follows.
    fn plain(&mut self) -> Result<&'a str, SyntaxFault> {
        let start = self.at;
        let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        self.at = self.bytes[start..].iter().position(stop).map_or(self.bytes.len(), |n| start + n);
        match self.peek() {
            Some(b'"' | b'\\') => Ok(&self.text[start..self.at]),
            _ => Err(self.unexpected("control characters in a string must be escaped")),
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxFault> {
        self.at += 1;
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.unexpected("this escape sequence is not one of JSON's")),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Halves of surrogate pairs that stand alone are JSON by its grammar (RFC 8259 §8.2), and what JavaScript
    /// writes for text that was cut inside a character. They name no character: private ones stand for them.
    fn unicode_escape(&mut self) -> Result<char, SyntaxFault> {
        let first = self.code_unit()?;
        let after_first = self.at;
        if (0xD800..=0xDBFF).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 1;
            let second = self.code_unit()?;
            if (0xDC00..=0xDFFF).contains(&second) {
                let scalar = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after_first;
        }
        let stand_in = || char::from_u32(PRIVATE_PLANE + first).unwrap_or(char::REPLACEMENT_CHARACTER);
        Ok(char::from_u32(first).unwrap_or_else(stand_in))
    }

    /// The four hexadecimal digits after the `u` that comes next.
    fn code_unit(&mut self) -> Result<u32, SyntaxFault> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit =
                unit * 16 + digit.ok_or_else(|| self.unexpected("four hexadecimal digits were expected"))?;
            self.at += 1;
        }
        Ok(unit)
    }
}
