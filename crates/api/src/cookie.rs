//! A session's cookie, and what keeps another site from using it (CSRF).
//!
//! The cookie alone is enough to look. Whoever changes something also sends a token that only pages of this origin can read.

use std::fmt::Write as _;

use domain::limits::SESSION_SECONDS_MAX;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What every session's token begins with.
pub(crate) const SESSION_PREFIX: &str = "hps_";
const NAME: &str = "hoopoe_session";
const CSRF_HEADER: &str = "x-csrf-token";

/// How people's browsers reach this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReachedBy {
    Http,
    Https,
}

/// The token in the request's cookie.
pub(crate) fn session_token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == NAME && value.starts_with(SESSION_PREFIX)).then_some(value)
    })
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

/// `seconds`: until the session ends. `Lax`, so that a link from the platform's pages finds its reader signed in.
pub(crate) fn set(token: &str, seconds: i64, reached_by: ReachedBy) -> HeaderValue {
    let secure = if reached_by == ReachedBy::Https { "; Secure" } else { "" };
    let seconds = seconds.clamp(0, i64::from(SESSION_SECONDS_MAX));
    let text = format!("{NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).expect("a token is hexadecimal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cookies: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_static(cookie));
        }
        session_token(&headers).map(str::to_owned)
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
