//! Whose console it is: its name, logo and colour, and which pages may show it in a frame.

use std::fmt;
use std::str::FromStr;

use axum::http::HeaderValue;
use bytes::Bytes;
use domain::limits::{BRAND_LOGO_BYTES_MAX, BRAND_NAME_LENGTH_MAX, FRAME_ANCESTORS_MAX};
use serde::Serialize;
use url::Url;

/// How the console presents itself.
#[derive(Debug, Clone)]
pub struct Brand {
    pub name: Name,
    pub logo: Option<Logo>,
    /// In place of the console's own accent.
    pub accent: Option<Color>,
    pub parents: Parents,
    pub stage: Stage,
}

/// Whether the server is one for local work, which the console then says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Production,
    Dev,
}

/// A picture.
#[derive(Debug, Clone)]
pub struct Logo {
    pub media_type: &'static str,
    pub bytes: Bytes,
}

/// `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Color(String);

/// What the product is called: 1 to [`BRAND_NAME_LENGTH_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// An origin, such as `https://crm.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent(String);

/// The origins whose pages may show the console in a frame; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parents(Vec<Parent>);

/// A setting of the brand is not usable; the sentence says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrandFault(String);

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: Name::default(),
            logo: None,
            accent: None,
            parents: Parents::default(),
            stage: Stage::Production,
        }
    }
}

#[derive(Serialize)]
struct BrandView<'a> {
    name: &'a str,
    logo: Option<&'static str>,
    colors: ColorsView<'a>,
    dev: bool,
}

#[derive(Serialize)]
struct ColorsView<'a> {
    accent: Option<&'a str>,
}

impl Brand {
    pub(crate) fn json(&self) -> Bytes {
        let view = BrandView {
            name: &self.name.0,
            logo: self.logo.as_ref().map(|_| "/brand/logo"),
            colors: ColorsView { accent: self.accent.as_ref().map(|color| color.0.as_str()) },
            dev: self.stage == Stage::Dev,
        };
        serde_json::to_vec(&view).unwrap_or_default().into()
    }

    /// Scripts, styles and requests of this server alone, nothing inline; frames where the parents say.
    pub(crate) fn content_policy(&self) -> HeaderValue {
        let text = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {}",
            self.parents.frame_ancestors()
        );
        HeaderValue::try_from(text).expect("an origin is ASCII")
    }
}

impl Parents {
    /// # Errors
    /// They are too many for a header.
    pub fn new(parents: Vec<Parent>) -> Result<Self, BrandFault> {
        match parents.len() {
            0..=FRAME_ANCESTORS_MAX => Ok(Self(parents)),
            count => Err(BrandFault(format!(
                "{count} origins may show the console; at most {FRAME_ANCESTORS_MAX} can"
            ))),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the directive of that name.
    pub fn frame_ancestors(&self) -> String {
        if self.is_empty() {
            return "'none'".to_owned();
        }
        let origins = self.0.iter().map(|parent| parent.0.as_str());
        std::iter::once("'self'").chain(origins).collect::<Vec<_>>().join(" ")
    }
}

impl Default for Name {
    fn default() -> Self {
        Self("Hoopoe".to_owned())
    }
}

impl FromStr for Name {
    type Err = BrandFault;

    fn from_str(text: &str) -> Result<Self, BrandFault> {
        let text = text.trim();
        let fits = (1..=BRAND_NAME_LENGTH_MAX).contains(&text.chars().count());
        match fits && !text.contains(char::is_control) {
            true => Ok(Self(text.to_owned())),
            false => {
                Err(BrandFault(format!("a name has 1 to {BRAND_NAME_LENGTH_MAX} characters on one line")))
            }
        }
    }
}

impl Logo {
    /// # Errors
    /// It is too large, or neither SVG, PNG nor WebP.
    pub fn new(bytes: Vec<u8>) -> Result<Self, BrandFault> {
        if bytes.len() > BRAND_LOGO_BYTES_MAX {
            return Err(BrandFault(format!(
                "the logo has {} bytes; it may have {BRAND_LOGO_BYTES_MAX}: use a smaller picture",
                bytes.len()
            )));
        }
        let head = bytes.trim_ascii_start();
        let media_type = match () {
            () if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => "image/png",
            () if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => "image/webp",
            () if head.starts_with(b"<svg") || head.starts_with(b"<?xml") => "image/svg+xml",
            () => return Err(BrandFault("the logo must be an SVG, PNG or WebP picture".to_owned())),
        };
        Ok(Self { media_type, bytes: bytes.into() })
    }
}

impl FromStr for Color {
    type Err = BrandFault;

    fn from_str(text: &str) -> Result<Self, BrandFault> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        match digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(BrandFault("a colour is # and six hex digits, such as #0b5fff".to_owned())),
        }
    }
}

impl FromStr for Parent {
    type Err = BrandFault;

    fn from_str(text: &str) -> Result<Self, BrandFault> {
        let fault = || {
            BrandFault(
                "must be an origin, such as https://crm.example.com, without path or wildcard".to_owned(),
            )
        };
        let url = Url::parse(text).map_err(|_| fault())?;
        let origin = url.origin();
        let is_origin = ["http", "https"].contains(&url.scheme())
            && url.path() == "/"
            && (url.query(), url.fragment()) == (None, None)
            && url.username().is_empty()
            && url.password().is_none()
            && url.host_str().is_some_and(|host| !host.contains('*'));
        if is_origin { Ok(Self(origin.ascii_serialization())) } else { Err(fault()) }
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BrandFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BrandFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_an_origin_and_nothing_that_could_end_the_directive() {
        for (text, expected) in [
            ("https://crm.example.com", Some("https://crm.example.com")),
            ("https://CRM.example.com/", Some("https://crm.example.com")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("https://*.example.com", None),
            ("*", None),
            ("https://crm.example.com/settings", None),
            ("https://crm.example.com; script-src *", None),
            ("javascript:alert(1)", None),
            ("https://user@crm.example.com", None),
            ("", None),
        ] {
            let parent = text.parse::<Parent>();
            assert_eq!(parent.ok().map(|parent| parent.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_colour_has_six_digits() {
        assert_eq!("#0B5fff".parse(), Ok(Color("#0b5fff".to_owned())));
        for bad in ["0b5fff", "#0b5ff", "#0b5fffff", "#0b5ffg", "red", "#é23456"] {
            assert!(bad.parse::<Color>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_logo_is_known_by_its_bytes() {
        let of = |bytes: &[u8]| Logo::new(bytes.to_vec()).map(|logo| logo.media_type).ok();
        assert_eq!(of(b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(of(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(of(b"\n <svg xmlns='http://www.w3.org/2000/svg'/>"), Some("image/svg+xml"));
        assert_eq!(of(b"GIF89a"), None);
        assert_eq!(of(&vec![b' '; BRAND_LOGO_BYTES_MAX + 1]), None);
    }
}
