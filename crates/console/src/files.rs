//! The built files, embedded; beside the larger ones lie what the build compressed them to.

use std::borrow::Cow;

use axum::http::HeaderValue;
use bytes::Bytes;
use rust_embed::RustEmbed;

use crate::encoding::{Encoding, Encodings};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[exclude = ".*"]
#[exclude = ".vite/*"]
struct Dist;

pub(crate) struct File {
    name: String,
    bytes: Bytes,
    /// Of the plain bytes, hexadecimal.
    hash: String,
}

impl File {
    pub(crate) fn named(name: &str) -> Option<Self> {
        // The compressed ones are answers to their plain name alone.
        if Encoding::ALL.iter().any(|encoding| name.ends_with(&format!(".{}", encoding.extension()))) {
            return None;
        }
        let file = Dist::get(name)?;
        let hash = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { name: name.to_owned(), bytes: bytes_of(file.data), hash })
    }

    /// The page in place of a console that was not built.
    pub(crate) fn not_built(page: &'static str) -> Self {
        let bytes = Bytes::from_static(page.as_bytes());
        Self { name: "not-built.html".to_owned(), bytes, hash: "not-built".to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn encoded(&self, accepted: Encodings) -> (Option<Encoding>, Bytes) {
        let built = accepted.iter().find_map(|encoding| {
            Some((encoding, Dist::get(&format!("{}.{}", self.name, encoding.extension()))?.data))
        });
        match built {
            Some((encoding, data)) => (Some(encoding), bytes_of(data)),
            None => (None, self.bytes.clone()),
        }
    }

    /// Another for each encoding (RFC 9110 §8.8.3.3).
    pub(crate) fn tag(&self, encoding: Option<Encoding>) -> HeaderValue {
        let suffix = encoding.map_or_else(String::new, |encoding| format!("-{}", encoding.name()));
        HeaderValue::try_from(format!("\"{}{suffix}\"", self.hash)).expect("a hash is hexadecimal")
    }

    pub(crate) fn media_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.name.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "json" => "application/json",
            "png" => "image/png",
            "woff2" => "font/woff2",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        })
    }
}

fn bytes_of(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}
