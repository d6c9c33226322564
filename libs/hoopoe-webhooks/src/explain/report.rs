//! From what was found to what is said.
//!
//! Decides which findings apply and in which order; the search is in `search`, the words are in `words`.

use super::claim::{claims, why_malformed};
use super::json::Tree;
use super::search::{Found, Match, Search, milliseconds_as_seconds};
use super::words::FindingCode::{self, *};
use super::{Explanation, Family, Finding, key};
use crate::verify::parse_timestamp;
use crate::{Headers, Secret, VerifyError, Window, verify_standard, verify_x_wl};

pub(super) struct Report<'a> {
    secrets: &'a [&'a str],
    headers: &'a Headers<'a>,
    body: &'a [u8],
    window: Window,
    findings: Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        secrets: &'a [&'a str],
        headers: &'a Headers<'a>,
        body: &'a [u8],
        now_seconds: i64,
    ) -> Self {
        Self { secrets, headers, body, window: Window::at(now_seconds), findings: Vec::new() }
    }

    pub(super) fn write(mut self) -> Explanation {
        let present = Family::BOTH.map(|family| family.value(self.headers).is_some());
        if !present.contains(&true) {
            self.say(NoSignature, None, "");
        }
        if self.secrets.is_empty() {
            self.say(NoSecret, None, "");
        }
        let outcomes = self.outcomes();
        if present.contains(&true) && !self.secrets.is_empty() {
            self.explain_present(&outcomes);
        }
        let valid = present.contains(&true) && outcomes.iter().flatten().all(Result::is_ok);
        let judged = Family::BOTH.into_iter().zip(&outcomes);
        let judged =
            judged.filter_map(|(family, outcome)| Some((family.header_name(), outcome.as_ref()?.is_ok())));
        Explanation { valid, headers: judged.collect(), findings: self.findings }
    }

    /// What a receiver would decide for each header that is there.
    fn outcomes(&self) -> [Option<Result<(), VerifyError>>; 2] {
        let secrets: Vec<_> = self.secrets.iter().filter_map(|text| Secret::parse(text).ok()).collect();
        Family::BOTH.map(|family| {
            let value = family.value(self.headers)?;
            Some(match family {
                Family::Xwl => verify_x_wl(&secrets, Some(value), self.body),
                Family::Standard => verify_standard(&secrets, self.headers, self.body, self.window),
            })
        })
    }

    fn explain_present(&mut self, outcomes: &[Option<Result<(), VerifyError>>; 2]) {
        let keys = key::keys(self.secrets);
        let claims = Family::BOTH.map(|f| f.value(self.headers).map(|v| claims(f, v)).unwrap_or_default());
        let search = Search { keys: &keys, claims, headers: self.headers, body: self.body };
        let found = search.run();
        let refused = outcomes.iter().flatten().any(Result::is_err);
        if refused && found.matches.iter().all(|found| !found.as_ref().is_some_and(mends_secret)) {
            self.explain_secrets();
        }
        if refused && found.matches.iter().all(Option::is_none) {
            self.explain_body();
        }
        for (index, family) in Family::BOTH.into_iter().enumerate() {
            match (&found.matches[index], family.value(self.headers)) {
                (_, None) => {}
                (Some(matched), _) => {
                    self.explain_match(family, matched, &search.claims[index][matched.claim].slips)
                }
                (None, Some(value)) if search.claims[index].is_empty() => {
                    self.explain_spelling(family, value)
                }
                (None, Some(_)) => self.explain_mismatch(family, &found),
            }
        }
        self.explain_timestamp();
        if found.cut_short {
            self.say(SearchCutShort, None, "");
        }
    }

    fn explain_secrets(&mut self) {
        for text in self.secrets {
            if let Err(error) = Secret::parse(text) {
                self.say(SecretMalformed, None, &error.to_string());
            }
        }
    }

    fn explain_body(&mut self) {
        let text = std::str::from_utf8(self.body).unwrap_or_default().trim_start_matches('\u{feff}');
        if self.body.is_empty() {
            self.say(BodyEmpty, None, "");
        } else if text.trim() == "[object Object]" {
            self.say(BodyIsObjectObject, None, "");
        } else if Tree::parse(text).is_none() {
            self.say(BodyNotJson, None, "");
        }
    }

    fn explain_match(&mut self, family: Family, matched: &Match, spelling: &[FindingCode]) {
        let is_other = matched.content != family && matched.key_slips_other.is_empty();
        let wrong_content = match family {
            _ if matched.content == family => None,
            _ if is_other => Some(SignatureOfOtherFamily),
            Family::Xwl => Some(SignedIdAndTimestamp),
            Family::Standard => Some(SignedBodyOnly),
        };
        // In the other header key and spelling are as they should be.
        let (spelling, key_slips) =
            if is_other { (&[][..], &[][..]) } else { (spelling, &matched.key_slips[..]) };
        let slips =
            [wrong_content.as_slice(), key_slips, spelling, matched.timestamp_slip.as_slice()].concat();
        for slip in &slips {
            self.say(*slip, Some(family), "");
        }
        for change in &matched.changes {
            self.say(change.code, Some(family), change.phrase);
        }
        if slips.is_empty() && matched.changes.is_empty() {
            let secret = match self.secrets.len() {
                1 => "the secret".to_owned(),
                count => format!("secret {} of {count}", matched.secret + 1),
            };
            self.say(Valid, Some(family), &secret);
        }
    }

    fn explain_spelling(&mut self, family: Family, value: &str) {
        let expected = match family {
            Family::Xwl => "64 lower-case hex digits",
            Family::Standard => {
                "one or more entries of `v1,` and 44 characters of base64, separated by spaces"
            }
        };
        self.say(why_malformed(value), Some(family), expected);
    }

    fn explain_mismatch(&mut self, family: Family, found: &Found) {
        let is_clean = |other: &Option<Match>| {
            other
                .as_ref()
                .is_some_and(|m| m.key_slips.is_empty() && m.changes.is_empty() && m.content != family)
        };
        match family {
            Family::Standard if self.missing().next().is_some() => {}
            Family::Standard if is_clean(&found.matches[0]) => {
                self.say(IdOrTimestampMismatch, Some(family), "");
            }
            Family::Xwl if is_clean(&found.matches[1]) => self.say(PreviousSecret, Some(family), ""),
            _ => self.say(WrongSecretOrBody, Some(family), ""),
        }
    }

    fn missing(&self) -> impl Iterator<Item = &'static str> {
        let id = self.headers.webhook_id.is_none_or(str::is_empty).then_some(crate::WEBHOOK_ID);
        let time =
            self.headers.webhook_timestamp.is_none_or(str::is_empty).then_some(crate::WEBHOOK_TIMESTAMP);
        id.into_iter().chain(time)
    }

    /// The headers beside `webhook-signature`; without it they do not matter.
    fn explain_timestamp(&mut self) {
        if Family::Standard.value(self.headers).is_none() {
            return;
        }
        let missing: Vec<_> = self.missing().collect();
        let family = Some(Family::Standard);
        missing.into_iter().for_each(|name| self.say(MissingHeader, family, name));
        let Some(timestamp) = self.headers.webhook_timestamp.filter(|text| !text.is_empty()) else { return };
        if milliseconds_as_seconds(timestamp).is_some() {
            return self.say(TimestampInMilliseconds, family, "");
        }
        let checked = parse_timestamp(timestamp).and_then(|seconds| self.window.check(seconds));
        match checked {
            Ok(()) => {}
            Err(VerifyError::TimestampTooOld { age_seconds }) => {
                self.say(TimestampTooOld, family, &duration(age_seconds));
            }
            Err(VerifyError::TimestampTooNew { ahead_seconds }) => {
                self.say(TimestampTooNew, family, &duration(ahead_seconds));
            }
            Err(_) => self.say(MalformedTimestamp, family, ""),
        }
    }

    /// Adds a finding, unless the very same is there already.
    fn say(&mut self, code: FindingCode, family: Option<Family>, detail: &str) {
        let header = family.map(Family::header_name);
        let family = family.unwrap_or(Family::Standard);
        let sentence = code
            .template()
            .replace("{header}", family.header_name())
            .replace("{other}", family.other().header_name())
            .replace("{detail}", detail);
        let finding = Finding { code, header, sentence };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// Whether the match already says what is wrong with the given secret.
fn mends_secret(matched: &Match) -> bool {
    matched.key_slips.iter().any(|slip| matches!(slip, SecretSurrounded | SecretWithoutPrefix))
}

/// Seconds in the largest unit that keeps two digits, for people.
fn duration(seconds: u64) -> String {
    match seconds {
        0..=599 => format!("{seconds} seconds"),
        600..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
