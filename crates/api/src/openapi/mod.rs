//! The OpenAPI 3.1 document: routes and shapes from the code, error answers from the table of codes, webhooks from the
//! catalogue.

mod refine;

use catalogue::{Catalogue, EventType};
use serde_json::{Map, Value, json};

use crate::problem::Code;
use crate::router::routes;

const DESCRIPTION: &str = "Receives events, stores them durably and delivers them to webhook endpoints, signed, at least once. \
Errors are RFC 9457 problems; a 2xx is a promise, a 5xx promises nothing: repeat it with the same `Idempotency-Key`.";

const TAGS: [(&str, &str); 10] = [
    ("Events", "Publish events and see what became of them"),
    ("Endpoints", "Registered receiver URLs with their subscriptions"),
    ("Secrets", "An endpoint's signing secret and its rotation"),
    ("Deliveries", "One event on its way to one endpoint, attempt by attempt"),
    ("Event types", "The catalogue"),
    ("Locations and apps", "Who belongs to whom"),
    ("API keys", "Who may call"),
    ("Sessions", "Who has signed in to the console or the portal"),
    ("Audit", "Who changed what"),
    ("Server", "Health and reference"),
];

/// Codes of single operations; [`codes_of`] adds those that follow from an operation's shape.
const CODES: [(&str, &[Code]); 20] = [
    ("publishEvent", &[Code::UnknownType, Code::InvalidPayload]),
    ("publishEvents", &[Code::BatchTooLarge]),
    ("listEvents", &[Code::UnknownType]),
    ("listDeliveries", &[Code::UnknownType]),
    (
        "createEndpoint",
        &[
            Code::InvalidUrl,
            Code::InvalidHeader,
            Code::InvalidSecret,
            Code::UnknownType,
            Code::NotAvailableYet,
            Code::EndpointLimit,
            Code::NotFound,
        ],
    ),
    ("updateEndpoint", &[Code::InvalidUrl, Code::InvalidHeader, Code::UnknownType, Code::NotAvailableYet]),
    ("testEndpoint", &[Code::UnknownType]),
    ("explainSignatures", &[Code::NotFound]),
    ("getEndpointStats", &[Code::InvalidRequest]),
    ("streamEvents", &[Code::InvalidRequest, Code::NotFound]),
    ("rotateEndpointSecret", &[Code::RotationInProgress]),
    ("promoteEndpointSecret", &[Code::NoRotation]),
    ("retryDelivery", &[Code::EndpointDisabled]),
    ("rotateMasterKey", &[Code::RotationInProgress, Code::ExternalMasterKey]),
    ("cancelDelivery", &[Code::DeliveryFinished]),
    ("createApiKey", &[Code::ApiKeyLimit, Code::NotFound]),
    ("createPortalSession", &[Code::SessionLimit, Code::NotFound]),
    ("getCurrentSession", &[Code::NotFound]),
    ("getReadiness", &[Code::StoreUnavailable]),
    ("getErrorPage", &[Code::NotFound]),
];

/// The document that `GET /openapi.json` serves.
pub fn openapi(catalogue: &Catalogue) -> Value {
    let mut document = serde_json::to_value(routes().into_openapi()).expect("the document is plain data");
    document["info"] = info();
    document["tags"] = TAGS.iter().map(|(name, about)| json!({"name": name, "description": about})).collect();
    document["security"] = json!([{"apiKey": []}, {"session": []}]);
    document["components"]["securitySchemes"] = json!({"apiKey": {
        "type": "http", "scheme": "bearer", "bearerFormat": "hpk_…", "description": "An API key",
    }, "session": {
        "type": "apiKey", "in": "cookie", "name": "hoopoe_session",
        "description": "A session's cookie, called `__Host-hoopoe_session` where `--public-url` begins with `https://`; a \
            change also needs the header `x-csrf-token`",
    }});
    put_problem(&mut document);
    refine::schemas(&mut document["components"]["schemas"]);
    for (path, method, operation) in operations(&mut document) {
        put_errors(&path, &method, operation);
        // Indexing would put a null where there are none.
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        parameters.into_iter().flatten().for_each(|parameter| refine::parameter(&path, parameter));
    }
    document["webhooks"] = catalogue.types().iter().map(webhook).collect::<Map<_, _>>().into();
    document
}

fn info() -> Value {
    json!({
        "title": "Hoopoe",
        "version": env!("CARGO_PKG_VERSION"),
        "description": DESCRIPTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    })
}

fn operations(document: &mut Value) -> Vec<(String, String, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object_mut().into_iter().flatten();
            methods.map(|(method, operation)| (path.clone(), method.clone(), operation))
        })
        .collect()
}

fn put_problem(document: &mut Value) {
    let (name, schema) = <crate::problem::ProblemView<'_> as PartialProblem>::named();
    let schemas = &mut document["components"]["schemas"];
    schemas[name] = schema;
    let (name, schema) = <crate::problem::Fault as PartialProblem>::named();
    schemas[name] = schema;
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    schemas["Problem"]["properties"]["code"]["enum"] = codes.into();
}

/// A shape by its name in the document.
trait PartialProblem {
    fn named() -> (String, Value);
}

impl<T: utoipa::ToSchema> PartialProblem for T {
    fn named() -> (String, Value) {
        let schema = serde_json::to_value(T::schema()).expect("a schema is plain data");
        (T::name().into_owned(), schema)
    }
}

/// One answer per status, whose description names the codes.
fn put_errors(path: &str, method: &str, operation: &mut Value) {
    let codes = codes_of(path, method, operation);
    for code in &codes {
        let status = code.status();
        let alike = codes.iter().filter(|other| other.status() == status);
        let names: Vec<String> = alike.map(|code| format!("`{}`", code.as_str())).collect();
        operation["responses"][status.as_str()] = json!({
            "description": names.join(", "),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
    }
}

fn codes_of(path: &str, method: &str, operation: &Value) -> Vec<Code> {
    use Code::*;
    let id = operation["operationId"].as_str().unwrap_or_default();
    let mut codes = vec![HeadersTooLarge, InvalidHost, InternalError];
    if !["getHealth", "getReadiness"].contains(&id) {
        codes.push(TooManyRequests);
    }
    if operation.get("security").is_none() {
        codes.extend([Unauthorized, Forbidden, StoreUnavailable]);
    }
    if ["post", "put", "patch"].contains(&method) {
        codes.extend([InvalidJson, NotAnObject, DuplicateKey, InvalidRequest, PayloadTooLarge]);
        codes.extend([UnsupportedMediaType, RequestTimeout]);
    }
    if ["post", "put", "patch"].contains(&method) && id != "publishEvent" {
        codes.push(UnknownField);
    }
    // An explanation has no effect that could come twice.
    if method == "post" && id != "explainSignatures" {
        codes.extend([IdempotencyMismatch, IdempotencyInProgress, InvalidIdempotencyKey]);
    }
    if path.contains('{') {
        codes.push(NotFound);
    }
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if parameters.iter().any(|parameter| parameter["name"] == "cursor") {
        codes.extend([InvalidCursor, InvalidRequest]);
    }
    codes.extend(CODES.iter().filter(|(of, _)| *of == id).flat_map(|(_, codes)| codes.iter().copied()));
    codes.sort();
    codes.dedup();
    codes
}

fn webhook(event_type: &EventType) -> (String, Value) {
    let text = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
    let description = match event_type.notes() {
        Some(notes) => format!("{}\n\n{notes}", event_type.summary()),
        None => event_type.summary().to_owned(),
    };
    let post = json!({
        "operationId": format!("on{}", event_type.name()),
        "summary": event_type.title(),
        "description": description,
        "tags": [event_type.category()],
        "security": [],
        "parameters": HEADERS.map(|(name, about, example)| json!({
            "name": name, "in": "header", "required": true, "description": about,
            "schema": {"type": "string"}, "example": example,
        })),
        "requestBody": {
            "required": true,
            "content": {"application/json": {
                "schema": text(event_type.schema()), "example": text(event_type.example()),
            }},
        },
        "responses": {
            "2XX": {"description": "Received; answer within 10 seconds and work later"},
            "410": {"description": "Stop: the endpoint is disabled"},
            "default": {"description": "Not received; the delivery is retried"},
        },
        "x-wl-scope": event_type.scope().as_str(),
        "x-wl-oauth-scope": event_type.oauth_scope(),
        "x-wl-aliases": event_type.aliases(),
    });
    (event_type.name().to_owned(), json!({"post": post}))
}

const HEADERS: [(&str, &str, &str); 7] = [
    (
        "x-wl-signature",
        "Lower-case hex of HMAC-SHA256 over the raw body; the key is the whole secret string",
        "5b7c3f0e6d1a…",
    ),
    (
        "webhook-id",
        "The event's id, the same on every retry (Standard Webhooks)",
        "evt_01JB2Z8Q4X9T6K3M5N7P0R1S2V",
    ),
    ("webhook-timestamp", "Seconds since 1970 of this attempt (Standard Webhooks)", "1767225600"),
    (
        "webhook-signature",
        "Space-separated list of `v1,` and base64 (Standard Webhooks)",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
    ("x-wl-event", "The event's type", "ContactCreate"),
    ("x-wl-delivery", "The delivery's id", "dlv_01JB2Z8Q4X9T6K3M5N7P0R1S2V"),
    ("x-wl-attempt", "The attempt's number, from 1", "1"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn document() -> Value {
        openapi(&Catalogue::builtin())
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let mut document = document();
        document["webhooks"] = Value::Null; // their schemas refer to themselves
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.contains("#/components/schemas/Problem"));
        for reference in found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_has_its_own_id_a_known_tag_and_error_answers() {
        let mut document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let tags: Vec<&str> = TAGS.map(|(name, _)| name).to_vec();
        let mut ids = BTreeSet::new();
        for (path, method, operation) in operations(&mut document) {
            let place = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}");
            assert!(tags.contains(&operation["tags"][0].as_str().unwrap()), "{place}");
            assert!(operation["summary"].is_string(), "{place}");
            assert!(operation["responses"]["500"].is_object(), "{place}");
            let public = operation.get("security").is_some();
            assert_eq!(operation["responses"].get("401").is_none(), public, "{place}");
        }
        for (id, _) in CODES {
            assert!(ids.contains(id), "{id}");
        }
    }

    #[test]
    fn the_parameters_of_an_operation_are_a_list_or_left_out() {
        let mut document = document();
        for (path, method, operation) in operations(&mut document) {
            let parameters = operation.get("parameters");
            assert!(parameters.is_none_or(Value::is_array), "{method} {path}: {parameters:?}");
        }
    }

    #[test]
    fn every_code_is_told_by_some_operation() {
        let mut document = document();
        let told: BTreeSet<Code> = operations(&mut document)
            .into_iter()
            .flat_map(|(path, method, operation)| codes_of(&path, &method, operation))
            .collect();
        let untold: Vec<_> = Code::ALL.iter().filter(|code| !told.contains(code)).collect();
        // No operation answers it: it is for methods that a route does not have.
        assert_eq!(untold, [&Code::MethodNotAllowed]);
    }

    #[test]
    fn every_event_type_is_a_webhook_with_its_schema() {
        let catalogue = Catalogue::builtin();
        let document = openapi(&catalogue);
        assert_eq!(document["webhooks"].as_object().unwrap().len(), catalogue.types().len());
        let webhook = &document["webhooks"]["ContactCreate"]["post"];
        assert_eq!(webhook["requestBody"]["content"]["application/json"]["schema"]["title"], "ContactCreate");
        assert_eq!(webhook["parameters"].as_array().unwrap().len(), HEADERS.len());
    }
}
