//! Which of the encodings that a file was built in a client takes.

use axum::http::{HeaderMap, header};

/// Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    pub(crate) const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// RFC 9110 §8.4.1, RFC 7932.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Of the file that the build lays beside the plain one.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encodings([bool; 2]);

impl Encodings {
    /// What is named counts, unless with a quality of zero. A wildcard does not: the plain bytes are always right.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT_ENCODING);
        let texts: Vec<&str> = values.iter().filter_map(|value| value.to_str().ok()).collect();
        let names = |wanted: &str| {
            texts.iter().flat_map(|text| text.split(',')).any(|offer| {
                let mut parts = offer.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default();
                let refused = parts.any(|part| {
                    let quality = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
                    quality.is_some_and(|text| text.parse() == Ok(0.0))
                });
                name.eq_ignore_ascii_case(wanted) && !refused
            })
        };
        Self(Encoding::ALL.map(|encoding| names(encoding.name())))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Encoding> {
        Encoding::ALL.into_iter().zip(self.0).filter(|(_, accepted)| *accepted).map(|(encoding, _)| encoding)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn first(values: &[&'static str]) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        Encodings::accepted(&headers).iter().next()
    }

    #[test]
    fn the_best_encoding_that_is_named_and_not_refused_is_taken() {
        for (values, expected) in [
            (&["gzip, deflate, br, zstd"] as &[_], Some(Encoding::Brotli)),
            (&["gzip"], Some(Encoding::Gzip)),
            (&["deflate", "GZIP;q=0.5"], Some(Encoding::Gzip)),
            (&["br;q=0, gzip;q=1.0"], Some(Encoding::Gzip)),
            (&["br; q=0.000"], None),
            (&["*"], None),
            (&["identity"], None),
            (&[], None),
        ] {
            assert_eq!(first(values), expected, "{values:?}");
        }
    }
}
