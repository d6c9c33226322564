//! Reads what a caller asks of an endpoint, with all faults in one answer.

use std::sync::Arc;

use domain::custom_headers;
use domain::endpoint::{Endpoint, EndpointPatch, Subscription, TypeName};
use domain::limits::{
    DESCRIPTION_LENGTH_MAX, EVENT_TYPES_MAX, HEADER_NAME_LENGTH_MAX, RETRY_SCHEDULE_ENTRIES_MAX,
    RETRY_WAIT_SECONDS_MAX,
};
use domain::scope::Owner;
use domain::secret::SecretText;
use domain::url_rules;
use hoopoe_webhooks::Secret;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Api;
use crate::event_types::known_type;
use crate::fields::{Fields, Given, OWNERS, kind};
use crate::problem::{Code, Problem};
use crate::views::HEADER_MASK;

/// An endpoint to create. Exactly one of `locationId`, `companyId` and `appId` is given.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct EndpointBody {
    location_id: Option<String>,
    company_id: Option<String>,
    app_id: Option<String>,
    #[schema(example = "https://hooks.example.com/hoop", max_length = 2048)]
    url: String,
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// Names or aliases, or `["*"]` for all, also future ones.
    #[schema(min_items = 1, example = json!(["ContactCreate", "InvoicePaid"]))]
    event_types: Vec<String>,
    /// Sent with every request to the receiver. Values are secrets.
    #[schema(value_type = Option<Object>)]
    headers: Option<()>,
    /// Seconds before attempts 2, 3, …, at most 30 entries of 1 to 604,800; null is the server's schedule.
    #[schema(max_items = 30)]
    retry_schedule: Option<Vec<u32>>,
    /// Leave out the events that the owning app itself caused.
    #[schema(default = false)]
    skip_own_events: Option<bool>,
    #[schema(default = true)]
    enabled: Option<bool>,
    /// A secret of your own: `whsec_` and base64 of 24 to 64 bytes, or 16 to 256 printable ASCII characters.
    secret: Option<String>,
    /// Reserved; only null in this version.
    filter: Option<String>,
    /// Reserved; only null in this version.
    transform: Option<String>,
    /// Reserved; only null in this version.
    rate_limit: Option<f64>,
    /// Reserved; only `none` in this version.
    #[schema(default = "none")]
    ordering: Option<String>,
}

/// What to change of an endpoint; what is left out stays.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct EndpointChange {
    #[schema(max_length = 2048)]
    url: Option<String>,
    #[schema(max_length = 1024)]
    description: Option<String>,
    #[schema(min_items = 1)]
    event_types: Option<Vec<String>>,
    /// Replaces all; the value `********` keeps the stored one.
    #[schema(value_type = Option<Object>)]
    headers: Option<()>,
    #[schema(max_items = 30)]
    retry_schedule: Option<Vec<u32>>,
    skip_own_events: Option<bool>,
    enabled: Option<bool>,
    /// Reserved; only null in this version.
    filter: Option<String>,
    /// Reserved; only null in this version.
    transform: Option<String>,
    /// Reserved; only null in this version.
    rate_limit: Option<f64>,
    /// Reserved; only `none` in this version.
    ordering: Option<String>,
}

/// A checked wish for an endpoint.
#[derive(Debug)]
pub(super) struct NewEndpoint {
    pub(super) owner: Owner,
    pub(super) url: Arc<str>,
    pub(super) description: String,
    pub(super) subscription: Subscription,
    pub(super) headers: Vec<(String, SecretText)>,
    pub(super) retry_schedule: Option<Vec<u32>>,
    pub(super) skip_own_events: bool,
    pub(super) enabled: bool,
    pub(super) secret: Option<SecretText>,
}

impl NewEndpoint {
    pub(super) fn read(api: &Api, body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::of(body)?;
        let missing = "is required, or else `companyId` or `appId`: an endpoint has one owner";
        let owner = fields.owner(Some(missing));
        fields.require("url");
        let url = url(api, &mut fields).value();
        fields.require("eventTypes");
        let subscription = subscription(api, &mut fields).value();
        let description = fields.text("description", DESCRIPTION_LENGTH_MAX).value().unwrap_or_default();
        let headers = headers(&mut fields, &[]).value().unwrap_or_default();
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let retry_schedule = retry_schedule(&mut fields).value();
        let skip_own_events = fields.flag("skipOwnEvents");
        let skip_own_events = fields.or_default("skipOwnEvents", skip_own_events, false);
        let enabled = fields.flag("enabled");
        let enabled = fields.or_default("enabled", enabled, true);
        let secret = secret(&mut fields);
        reserved(&mut fields);
        let read = owner.zip(url).zip(subscription);
        fields.finish()?;
        let ((owner, url), subscription) = read.expect("what is required and missing or faulty was told");
        Ok(Self {
            owner,
            url,
            description,
            subscription,
            headers,
            retry_schedule,
            skip_own_events,
            enabled,
            secret,
        })
    }
}

pub(super) fn change(api: &Api, stored: &Endpoint, body: &[u8]) -> Result<EndpointPatch, Problem> {
    let mut fields = Fields::of(body)?;
    no_owner(&mut fields);
    let url = url(api, &mut fields);
    let subscription = subscription(api, &mut fields);
    let skip_own_events = fields.flag("skipOwnEvents");
    let enabled = fields.flag("enabled");
    let patch = EndpointPatch {
        url: fields.not_null("url", url),
        description: fields
            .text("description", DESCRIPTION_LENGTH_MAX)
            .change()
            .map(Option::unwrap_or_default),
        subscription: fields.not_null("eventTypes", subscription),
        headers: headers(&mut fields, &stored.headers).change().map(Option::unwrap_or_default),
        retry_schedule: retry_schedule(&mut fields).change(),
        skip_own_events: fields.not_null("skipOwnEvents", skip_own_events),
        enabled: fields.not_null("enabled", enabled),
    };
    reserved(&mut fields);
    fields.finish()?;
    Ok(patch)
}

/// The owner is no field of a change; the sentence says why.
fn no_owner(fields: &mut Fields<'_>) {
    for (name, _) in OWNERS {
        if fields.raw(name).is_some() {
            let detail = "cannot change: create another endpoint for another owner";
            fields.faults.add(Code::UnknownField, format!("/{name}"), detail);
        }
    }
}

fn url(api: &Api, fields: &mut Fields<'_>) -> Given<Arc<str>> {
    match fields.any("url") {
        Given::Absent => Given::Absent,
        Given::Null => Given::Null,
        Given::Value(Value::String(text)) => {
            let settings = &api.settings;
            match url_rules::judge_with(&text, settings.url_policy, &settings.address_policy) {
                Ok(url) => Given::Value(url.as_str().into()),
                Err(fault) => {
                    fields.faults.add(Code::InvalidUrl, "/url", format!("is refused: {fault}"));
                    Given::Absent
                }
            }
        }
        Given::Value(other) => {
            fields.fault("url", format!("must be a string, not {}", kind(&other)));
            Given::Absent
        }
    }
}

fn subscription(api: &Api, fields: &mut Fields<'_>) -> Given<Subscription> {
    let items = match fields.list("eventTypes") {
        Given::Absent => return Given::Absent,
        Given::Null => return Given::Null,
        Given::Value(items) => items,
    };
    if items == ["*"] {
        return Given::Value(Subscription::All);
    }
    if items.is_empty() || items.len() > EVENT_TYPES_MAX {
        fields.fault("eventTypes", format!("must have 1 to {EVENT_TYPES_MAX} names, or be [\"*\"]"));
        return Given::Absent;
    }
    let names = items.iter().enumerate().filter_map(|(n, item)| type_name(api, fields, (n, item))).collect();
    Given::Value(Subscription::to(names))
}

fn type_name(api: &Api, fields: &mut Fields<'_>, (n, item): (usize, &Value)) -> Option<TypeName> {
    let place = format!("eventTypes/{n}");
    match item {
        Value::String(star) if star == "*" => {
            fields.fault(&place, "stands for all types and must be alone");
            None
        }
        Value::String(name) => match known_type(api, name) {
            Ok(event_type) => Some(event_type.type_name().clone()),
            Err(sentence) => {
                fields.faults.add(Code::UnknownType, format!("/{place}"), sentence);
                None
            }
        },
        other => {
            fields.fault(&place, format!("must be a string, not {}", kind(other)));
            None
        }
    }
}

/// `stored`: the headers whose values the mask stands for. A value of `None` shall stay as it is stored by then.
fn headers(
    fields: &mut Fields<'_>,
    stored: &[(String, SecretText)],
) -> Given<Vec<(String, Option<SecretText>)>> {
    let members = match fields.object("headers") {
        Given::Absent => return Given::Absent,
        Given::Null => return Given::Null,
        Given::Value(members) => members,
    };
    let pairs = header_pairs(fields, &members, stored);
    match custom_headers::judge(pairs.iter().map(|(name, value)| (name.as_str(), value.expose()))) {
        // A value that is no text was told and left out.
        Ok(judged) if judged.len() < members.len() => Given::Absent,
        Ok(judged) => {
            let is_kept = |name: &str| {
                members.iter().any(|(given, value)| given.eq_ignore_ascii_case(name) && value == HEADER_MASK)
            };
            let sealed = judged.into_iter().map(|(name, value)| {
                let value = (!is_kept(&name)).then(|| SecretText::new(value));
                (name, value)
            });
            Given::Value(sealed.collect())
        }
        Err(faults) => {
            for fault in faults {
                let pointer =
                    if fault.name.is_empty() { "/headers".to_owned() } else { header_pointer(&fault.name) };
                fields.faults.add(Code::InvalidHeader, pointer, format!("is refused: {}", fault.sentence));
            }
            Given::Absent
        }
    }
}

fn header_pairs(
    fields: &mut Fields<'_>,
    members: &Map<String, Value>,
    stored: &[(String, SecretText)],
) -> Vec<(String, SecretText)> {
    let mut pairs = Vec::new();
    for (name, value) in members {
        let lower = name.to_ascii_lowercase();
        let kept = stored.iter().find(|(known, _)| *known == lower).map(|(_, value)| value.clone());
        match value.as_str() {
            Some(HEADER_MASK) if kept.is_some() => pairs.extend(kept.map(|value| (name.clone(), value))),
            Some(HEADER_MASK) => {
                let detail =
                    "is the mask that stands for a stored value, and there is none: send the value itself";
                fields.faults.add(Code::InvalidHeader, header_pointer(name), detail);
            }
            Some(text) => pairs.push((name.clone(), SecretText::new(text.to_owned()))),
            None => {
                let detail = format!("must be a string, not {}", kind(value));
                fields.faults.add(Code::InvalidHeader, header_pointer(name), detail);
            }
        }
    }
    pairs
}

fn header_pointer(name: &str) -> String {
    let name: String = name.chars().take(HEADER_NAME_LENGTH_MAX).collect();
    format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn retry_schedule(fields: &mut Fields<'_>) -> Given<Vec<u32>> {
    let items = match fields.list("retrySchedule") {
        Given::Absent => return Given::Absent,
        Given::Null => return Given::Null,
        Given::Value(items) => items,
    };
    if items.len() > RETRY_SCHEDULE_ENTRIES_MAX {
        fields.fault("retrySchedule", format!("must have at most {RETRY_SCHEDULE_ENTRIES_MAX} entries"));
        return Given::Absent;
    }
    let mut waits = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match item.as_u64().and_then(|wait| u32::try_from(wait).ok()) {
            Some(wait @ 1..=RETRY_WAIT_SECONDS_MAX) => waits.push(wait),
            _ => fields.fault(
                &format!("retrySchedule/{n}"),
                format!("must be a whole number of seconds from 1 to {RETRY_WAIT_SECONDS_MAX}"),
            ),
        }
    }
    Given::Value(waits)
}

fn secret(fields: &mut Fields<'_>) -> Option<SecretText> {
    match fields.any("secret") {
        Given::Absent | Given::Null => None,
        Given::Value(Value::String(text)) => match Secret::parse(&text) {
            Ok(secret) => Some(SecretText::new(secret.expose().to_owned())),
            Err(fault) => {
                fields.faults.add(Code::InvalidSecret, "/secret", format!("is refused: {fault}"));
                None
            }
        },
        Given::Value(other) => {
            let detail = format!("must be a string, not {}", kind(&other));
            fields.faults.add(Code::InvalidSecret, "/secret", detail);
            None
        }
    }
}

/// Fields whose place is kept for a later version: they take their default only.
fn reserved(fields: &mut Fields<'_>) {
    for (name, default) in
        [("filter", None), ("transform", None), ("rateLimit", None), ("ordering", Some("none"))]
    {
        let given = match fields.any(name) {
            Given::Absent => continue,
            Given::Null => Value::Null,
            Given::Value(value) => value,
        };
        let allowed = default.map_or(Value::Null, Value::from);
        if given != allowed {
            let detail = format!("can only be {allowed} in this version");
            fields.faults.add(Code::NotAvailableYet, format!("/{name}"), detail);
        }
    }
}
