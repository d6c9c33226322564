//! Pages of lists: `limit` and `cursor` in, `data` and `nextCursor` out.
//!
//! A cursor is opaque: a version, the place to go on from, and a keyed hash that binds both to the list, the caller and
//! the filters. One that this server did not issue, or issued for another list, is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use store::page::{Page, PageRequest, Span};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::problem::{Code, Problem};
use crate::query::Params;

const VERSION: u8 = 1;
const PLACE_BYTES: usize = 16;
const TAG_BYTES: usize = 12;

/// One page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listing<T> {
    pub(crate) data: Vec<T>,
    /// Pass it back as `cursor` with the same filters; null at the end. A page may be short, even empty, before the end.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// Which list this is: the route, whose world, and the filters in a canonical order.
#[derive(Debug)]
pub(crate) struct List<'a> {
    key: &'a [u8; 32],
    bound_to: Vec<u8>,
}

impl<'a> List<'a> {
    pub(crate) fn new(key: &'a [u8; 32], route: &str, owner: &str) -> Self {
        Self { key, bound_to: Vec::new() }.with(route).with(owner)
    }

    /// Binds to one more filter; absent and empty differ.
    pub(crate) fn filter(self, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(&format!("={value}")),
            None => self.with(""),
        }
    }

    fn with(mut self, part: &str) -> Self {
        self.bound_to.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.bound_to.extend_from_slice(part.as_bytes());
        self
    }

    pub(crate) fn cursor(&self, place: u128) -> String {
        let bytes = [&[VERSION], place.to_be_bytes().as_slice(), &self.tag(place)].concat();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn place(&self, cursor: &str) -> Option<u128> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (place, tag) = rest.split_first_chunk::<PLACE_BYTES>()?;
        let place = u128::from_be_bytes(*place);
        let good = *version == VERSION && bool::from(self.tag(place).as_slice().ct_eq(tag));
        good.then_some(place)
    }

    fn tag(&self, place: u128) -> [u8; TAG_BYTES] {
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(self.key).expect("HMAC takes keys of any length");
        mac.update(&[VERSION]);
        mac.update(&place.to_be_bytes());
        mac.update(&self.bound_to);
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_BYTES]);
        tag
    }

    /// Which rows to show.
    ///
    /// # Errors
    /// `invalid-cursor` for a cursor that this list did not issue.
    pub(crate) fn request(&self, wish: &Wish) -> Result<PageRequest, Problem> {
        let place = |cursor: &String| self.place(cursor).ok_or_else(not_issued);
        let before = wish.cursor.as_ref().map(place).transpose()?;
        Ok(PageRequest { limit: wish.limit, before })
    }

    pub(crate) fn listing<R, T>(&self, page: Page<R>, view: impl FnMut(R) -> T) -> Listing<T> {
        let next_cursor = page.next.map(|place| self.cursor(place));
        Listing { data: page.rows.into_iter().map(view).collect(), next_cursor }
    }
}

fn not_issued() -> Problem {
    Problem::new(
        Code::InvalidCursor,
        "the cursor does not belong to this list and these filters: pass `nextCursor` back unchanged, or begin without one",
    )
}

/// What a caller asked of a page.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) limit: usize,
    pub(crate) cursor: Option<String>,
}

impl Params {
    pub(crate) fn page(&mut self) -> Wish {
        let expected = format!("must be a whole number from 1 to {PAGE_ROWS_MAX}");
        let limit = self.parsed("limit", &expected, |text| {
            text.parse().ok().filter(|limit| (1..=PAGE_ROWS_MAX).contains(limit))
        });
        Wish { limit: limit.unwrap_or(PAGE_ROWS_DEFAULT), cursor: self.text("cursor") }
    }

    pub(crate) fn span(&mut self) -> Span {
        let expected = "must be an RFC 3339 time such as 2026-01-31T09:30:00.000Z";
        let mut time = |name| self.parsed(name, expected, |text| text.parse().ok());
        Span { since: time("since"), until: time("until") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn list(route: &str, filters: [Option<&str>; 2]) -> List<'static> {
        filters.into_iter().fold(List::new(&KEY, route, "platform"), List::filter)
    }

    fn resumes(list: &List<'_>, cursor: &str) -> Option<u128> {
        list.request(&Wish { limit: 1, cursor: Some(cursor.to_owned()) }).ok()?.before
    }

    #[test]
    fn a_cursor_resumes_its_own_list_only() {
        let home = list("/v1/events", [Some("a"), None]);
        let cursor = home.cursor(42);
        assert_eq!(resumes(&home, &cursor), Some(42));
        for other in [
            list("/v1/deliveries", [Some("a"), None]),
            list("/v1/events", [Some("b"), None]),
            list("/v1/events", [None, Some("a")]),
            list("/v1/events", [Some("a"), Some("")]),
            List::new(&[8; 32], "/v1/events", "platform").filter(Some("a")).filter(None::<&str>),
            List::new(&KEY, "/v1/events", "location:x").filter(Some("a")).filter(None::<&str>),
        ] {
            assert_eq!(resumes(&other, &cursor), None, "{other:?}");
        }
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        let home = list("/v1/events", [None, None]);
        let cursor = home.cursor(42);
        for at in 0..cursor.len() {
            let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
            let bent = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            assert_ne!(resumes(&home, &bent), Some(42), "{bent}");
            assert!(home.request(&Wish { limit: 1, cursor: Some(bent) }).is_err());
            assert_eq!(resumes(&home, &cursor[..at]), None);
        }
        for made_up in ["", "42", "AAAA", "%", "evt_01JB2Z8Q4X9T6K3M5N7P0R1S2V"] {
            assert_eq!(resumes(&home, made_up), None, "{made_up}");
        }
    }
}
