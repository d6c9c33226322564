//! Bounds, patterns and closed sets of words, from the constants that the code itself checks with.

use domain::api_key::Permission;
use domain::audit::Action;
use domain::delivery::{EndReason, Status, Trigger};
use domain::endpoint::DisabledReason;
use domain::event::SkipReason;
use domain::limits::{
    APP_SCOPE_LENGTH_MAX, APP_SCOPES_MAX, IDEMPOTENCY_KEY_LENGTH_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX,
    TENANT_ID_LENGTH_MAX,
};
use domain::outcome::Outcome;
use domain::tally::Window;
use serde_json::{Value, json};

/// What a parameter of a path, a query or a header may be.
pub(super) fn parameter(path: &str, parameter: &mut Value) {
    let name = parameter["name"].as_str().unwrap_or_default();
    let schema = match name {
        "limit" => {
            json!({"type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX, "default": PAGE_ROWS_DEFAULT})
        }
        "since" | "until" => json!({"type": "string", "format": "date-time"}),
        "payloads" => json!({"type": "boolean", "default": false}),
        "undelivered" => json!({"type": "boolean", "default": false}),
        "validate" => json!({"type": "string", "enum": ["reject", "warn", "off"]}),
        "status" => json!({"type": "string", "enum": words(Status::ALL, |status| status.as_str())}),
        "idempotency-key" => {
            json!({"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX, "pattern": "^[ -~]+$"})
        }
        "locationId" | "companyId" | "appId" | "x-origin-app" => tenant_id(),
        "endpointId" => id("ep_"),
        "window" => json!({"type": "string", "enum": Window::ALL.map(Window::as_str), "default": "24h"}),
        "action" => json!({"type": "string", "enum": words(Action::ALL, Action::as_str)}),
        "objectId" => json!({"type": "string", "minLength": 1, "maxLength": TENANT_ID_LENGTH_MAX}),
        "eventId" => id("evt_"),
        "id" => match path.split('/').nth(2) {
            Some("events") => id("evt_"),
            Some("endpoints") => id("ep_"),
            Some("deliveries") => id("dlv_"),
            Some("api-keys") => id("key_"),
            Some("sessions") => id("ses_"),
            _ => tenant_id(),
        },
        _ => json!({"type": "string"}),
    };
    parameter["schema"] = schema;
}

fn tenant_id() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
}

fn id(prefix: &str) -> Value {
    json!({"type": "string", "pattern": format!("^{prefix}[0-7][0-9A-HJKMNP-TV-Z]{{25}}$")})
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|value| word(*value)).collect()
}

/// The closed sets of words in answers, and request bodies that take no other field than those named.
pub(super) fn schemas(schemas: &mut Value) {
    let statuses = words(Status::ALL, |status| status.as_str());
    let permissions = words(&Permission::ALL, Permission::as_str);
    // Of a disabled endpoint why it is, of a failing one how its last attempt went.
    let failures = words(&Outcome::ALL, Outcome::as_str);
    let reasons = [words(&DisabledReason::ALL, DisabledReason::as_str), failures].concat();
    for (place, words) in [
        ("/Delivery/properties/status", statuses.clone()),
        ("/Delivery/properties/trigger", words(Trigger::ALL, |trigger| trigger.as_str())),
        ("/Delivery/properties/endReason", words(EndReason::ALL, |reason| reason.as_str())),
        ("/Attempt/properties/outcome", words(&Outcome::ALL, Outcome::as_str)),
        ("/LastAttempt/properties/outcome", words(&Outcome::ALL, Outcome::as_str)),
        ("/Became/properties/status", statuses),
        ("/Became/properties/reason", words(&SkipReason::ALL, SkipReason::as_str)),
        ("/Endpoint/properties/ordering", vec!["none"]),
        ("/Health/properties/state", vec!["healthy", "failing", "recovering", "disabled"]),
        ("/Health/properties/reason", reasons),
        ("/Session/properties/permissions/items", vec!["manage", "view"]),
        ("/PortalSessionBody/properties/permissions/items", vec!["manage", "view"]),
        ("/AuditActor/properties/type", vec!["platform-key", "api-key", "session", "system"]),
        ("/AuditEntry/properties/action", words(Action::ALL, Action::as_str)),
        ("/EventType/properties/scope", vec!["location", "company", "app"]),
        ("/ApiKey/properties/permissions/items", permissions.clone()),
        ("/ApiKeyBody/properties/permissions/items", permissions),
    ] {
        close(schemas.pointer_mut(place).expect("the table names fields that exist"), words);
    }
    for name in ["ApiKeyBody", "AppBody", "BatchRequest", "EndpointBody", "EndpointChange", "LocationBody"] {
        schemas[name]["additionalProperties"] = false.into();
    }
    for name in ["RotationBody", "TestBody", "PortalSessionBody"] {
        schemas[name]["additionalProperties"] = false.into();
    }
    for (body, field) in ["ApiKeyBody", "EndpointBody", "PortalSessionBody"]
        .into_iter()
        .flat_map(|body| ["locationId", "companyId", "appId"].map(|field| (body, field)))
        .chain([("LocationBody", "companyId")])
    {
        schemas[body]["properties"][field]["pattern"] = tenant_id()["pattern"].take();
    }
    let scopes = &mut schemas["AppBody"]["properties"]["scopes"];
    scopes["maxItems"] = APP_SCOPES_MAX.into();
    scopes["items"] =
        json!({"type": "string", "maxLength": APP_SCOPE_LENGTH_MAX, "pattern": "^[!#-\\[\\]-~]+$"});
    for body in ["EndpointBody", "EndpointChange"] {
        schemas[body]["properties"]["headers"]["additionalProperties"] = json!({"type": "string"});
    }
}

/// A field that can be null says so in its type, and then null is one of the values.
fn close(field: &mut Value, words: Vec<&'static str>) {
    let mut values: Vec<Value> = words.into_iter().map(Value::from).collect();
    let nullable = field["type"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"));
    values.extend(nullable.then_some(Value::Null));
    field["enum"] = values.into();
}
