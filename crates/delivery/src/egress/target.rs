//! Where a request goes, taken apart once per endpoint.

use std::sync::Arc;

use domain::url_rules::{self, Host, Scheme};
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};

/// What one connection serves: scheme, host, port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    pub https: bool,
    /// A lower-case ASCII name, or an IP literal without brackets.
    pub host: String,
    pub port: u16,
}

/// A receiver's URL, ready to be called.
#[derive(Debug)]
pub struct Target {
    pub origin: Arc<Origin>,
    pub(crate) host: Host,
    /// `/path?query`, for HTTP/1.1.
    pub(crate) path: Uri,
    /// The whole URL, for HTTP/2.
    pub(crate) whole: Uri,
    /// Value of `Host`.
    pub(crate) authority: HeaderValue,
}

impl Target {
    /// Which schemes, names and addresses may be called is judged at each connection, so the form alone counts here.
    /// `None`: not a URL of that form, which no endpoint is saved with.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let url = url_rules::reread(url).ok()?;
        let https = url.scheme() == Scheme::Https;
        let host = match url.host() {
            Host::Name(name) => name.clone(),
            Host::Ip(ip) => ip.to_string(),
        };
        let path: PathAndQuery = url.path_and_query().parse().ok()?;
        Some(Self {
            origin: Arc::new(Origin { https, host, port: url.port() }),
            host: url.host().clone(),
            path: Uri::from(path),
            whole: url.as_str().parse().ok()?,
            authority: HeaderValue::from_str(url.authority()).ok()?,
        })
    }

    /// The head of a request to here, with room for so many headers: `host` stands first (RFC 9110 §7.2).
    pub(crate) fn headers(&self, capacity: usize) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(capacity);
        headers.insert(HOST, self.authority.clone());
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::parse("https://[2606:4700::1111]:8443/a%20b?c=d").unwrap();
        assert_eq!(*target.origin, Origin { https: true, host: "2606:4700::1111".to_owned(), port: 8443 });
        assert_eq!(target.path.to_string(), "/a%20b?c=d");
        assert_eq!(target.authority, "[2606:4700::1111]:8443");
        let plain = Target::parse("https://hooks.example.com").unwrap();
        assert_eq!((plain.origin.port, plain.path.to_string()), (443, "/".to_owned()));
        assert_eq!(plain.authority, "hooks.example.com");
        assert!(Target::parse("ftp://hooks.example.com/").is_none());
    }
}
