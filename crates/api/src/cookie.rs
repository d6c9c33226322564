//! A session's cookie, and what keeps another site from using it (CSRF).
//!
//! The cookie alone is enough to look. Whoever changes something also sends a token that only pages of this origin can read.

use std::fmt::Write as _;

use domain::limits::SESSION_SECONDS_MAX;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Settings;

/// What every session's token begins with.
pub(crate) const SESSION_PREFIX: &str = "hps_";
const NAME: &str = "hoopoe_session";
/// Browsers take a cookie of such a name from this very host over https alone, so that no neighbour under the same domain
/// can put one of its own in its place (RFC 6265bis §4.1.3.2).
const NAME_OVER_HTTPS: &str = "__Host-hoopoe_session";
const CSRF_HEADER: &str = "x-csrf-token";

/// How people's browsers reach this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReachedBy {
    Http,
    Https,
    /// Also within a frame of another site's page.
    FramedHttps,
}

impl ReachedBy {
    /// As the operator said.
    pub(crate) fn of(settings: &Settings) -> Self {
        match settings.public_url.as_deref() {
            Some(url) if url.starts_with("https://") => match settings.frame_ancestors {
                Some(_) => Self::FramedHttps,
                None => Self::Https,
            },
            // Without https no browser sends a cookie along in another site's frame.
            _ => Self::Http,
        }
    }

    fn cookie_name(self) -> &'static str {
        match self {
            Self::Http => NAME,
            Self::Https | Self::FramedHttps => NAME_OVER_HTTPS,
        }
    }
}

/// A request with cookies of two sessions: one of them may be somebody else's, and nothing tells which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// The token in the request's cookie.
///
/// # Errors
/// There are two different ones.
pub(crate) fn session_token(headers: &HeaderMap, reached_by: ReachedBy) -> Result<Option<&str>, Ambiguous> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut tokens = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == reached_by.cookie_name() && value.starts_with(SESSION_PREFIX)).then_some(value)
    });
    let first = tokens.next();
    if tokens.all(|other| Some(other) == first) { Ok(first) } else { Err(Ambiguous) }
}

/// Hangs on the session's token, one way: who has it cannot make the token of it.
pub(crate) fn csrf_token(session_token: &str) -> String {
    let hash = Sha256::new().chain_update(b"hoopoe/csrf/1").chain_update(session_token).finalize();
    hash.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

/// Whether the request comes from a page that could read the session's CSRF token.
pub(crate) fn proves_intent(headers: &HeaderMap, session_token: &str) -> bool {
    let given = headers.get(CSRF_HEADER).map_or(&[] as &[u8], HeaderValue::as_bytes);
    csrf_token(session_token).as_bytes().ct_eq(given).into()
}

/// `seconds`: until the session ends. `Lax`, so that a link from the platform's pages finds its reader signed in. In a frame of
/// another site it must be `None`, and is then kept for that site alone (`Partitioned`).
pub(crate) fn set(token: &str, seconds: i64, reached_by: ReachedBy) -> HeaderValue {
    let name = reached_by.cookie_name();
    let site = match reached_by {
        ReachedBy::Http => "Lax",
        ReachedBy::Https => "Lax; Secure",
        ReachedBy::FramedHttps => "None; Secure; Partitioned",
    };
    let seconds = seconds.clamp(0, i64::from(SESSION_SECONDS_MAX));
    let text = format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={site}");
    HeaderValue::try_from(text).expect("a token is hexadecimal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cookies: &[&'static str]) -> Option<String> {
        by(ReachedBy::Http, cookies).unwrap()
    }

    fn by(reached_by: ReachedBy, cookies: &[&'static str]) -> Result<Option<String>, Ambiguous> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_static(cookie));
        }
        session_token(&headers, reached_by).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn the_sessions_cookie_is_found_among_others() {
        let expected = Some("hps_ab".to_owned());
        assert_eq!(found(&["a=b; hoopoe_session=hps_ab;c=d"]), expected);
        assert_eq!(found(&["a=b", " hoopoe_session=hps_ab"]), expected);
        for without in
            [&[] as &[_], &["hoopoe_session=hpk_ab"], &["xhoopoe_session=hps_ab"], &["hoopoe_session"]]
        {
            assert_eq!(found(without), None, "{without:?}");
        }
    }

    #[test]
    fn two_different_sessions_are_none() {
        let [one, other] = ["hoopoe_session=hps_one", "hoopoe_session=hps_other"];
        assert_eq!(by(ReachedBy::Http, &[one, other]), Err(Ambiguous));
        assert_eq!(
            by(ReachedBy::Http, &["hoopoe_session=hps_one; a=b; hoopoe_session=hps_other"]),
            Err(Ambiguous)
        );
        assert_eq!(found(&[one, one]), Some("hps_one".to_owned()));
        assert_eq!(found(&["hoopoe_session=none", one]), Some("hps_one".to_owned()));
    }

    #[test]
    fn over_https_only_the_cookie_that_no_neighbour_can_set_counts() {
        let [plain, host] = ["hoopoe_session=hps_plain", "__Host-hoopoe_session=hps_host"];
        assert_eq!(by(ReachedBy::Https, &[plain, host]), Ok(Some("hps_host".to_owned())));
        assert_eq!(by(ReachedBy::Https, &[plain]), Ok(None));
        assert_eq!(by(ReachedBy::Http, &[host]), Ok(None));
        assert_eq!(
            set("hps_a", 60, ReachedBy::Https),
            "__Host-hoopoe_session=hps_a; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn in_another_site_s_frame_the_cookie_is_kept_for_that_site() {
        let set = set("hps_a", 60, ReachedBy::FramedHttps);
        let expected =
            "__Host-hoopoe_session=hps_a; Path=/; Max-Age=60; HttpOnly; SameSite=None; Secure; Partitioned";
        assert_eq!(set, expected);
    }

    #[test]
    fn a_change_needs_the_token_of_this_very_session() {
        let asked = |token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CSRF_HEADER, HeaderValue::try_from(token).unwrap());
            proves_intent(&headers, "hps_one")
        };
        assert!(asked(&csrf_token("hps_one")));
        assert!(
            !asked(&csrf_token("hps_other")) && !asked("") && !proves_intent(&HeaderMap::new(), "hps_one")
        );
    }
}
