//! The reference for people: pages made from the OpenAPI document and the pages of the error codes.
//!
//! Plain HTML without script; nothing is loaded from anywhere.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Api;
use crate::answer;
use crate::path::Id;
use crate::problem::{Code, Problem};

pub(crate) const STYLE: &str = include_str!("../assets/docs.css");

/// The OpenAPI 3.1 document.
///
/// Generated from the server's own code; its `webhooks` are the events.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "Server", security(()),
    responses((status = 200, description = "The document", body = Object)),
)]
pub(crate) async fn openapi_json(State(api): State<Arc<Api>>) -> Response {
    answer::json_bytes(StatusCode::OK, api.document())
}

/// The reference.
///
/// This document as a page.
#[utoipa::path(
    get, path = "/docs", operation_id = "getDocs", tag = "Server", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub(crate) async fn reference(State(api): State<Arc<Api>>) -> Response {
    let document: Value = serde_json::from_slice(&api.document()).unwrap_or_default();
    page("Hoopoe API", &reference_html(&document))
}

/// What an error code means.
#[utoipa::path(
    get, path = "/docs/errors/{code}", operation_id = "getErrorPage", tag = "Server", security(()),
    params(("code" = String, Path, description = "A problem's `code`")),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub(crate) async fn error_page(Id(code): Id<String>) -> Result<Response, Problem> {
    let code = Code::parse(&code).ok_or_else(|| Problem::not_found("error code"))?;
    let back = "<p><a href=\"/docs\">Hoopoe API</a></p>";
    let content = format!("<main class=\"alone\">{back}{}</main>", markdown(code.page()));
    Ok(page(code.as_str(), &content))
}

fn page(title: &str, content: &str) -> Response {
    html(StatusCode::OK, title, content, &content_policy())
}

/// A page in the reference's dress. `content_policy`: what it may load, and where it may send.
pub(crate) fn html(status: StatusCode, title: &str, content: &str, content_policy: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style></head>\
         <body>{content}</body></html>",
        escaped(title)
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(content_policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Nothing but the one style sheet in the page itself.
fn content_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn reference_html(document: &Value) -> String {
    let mut html = format!("<div class=\"book\">{}<main><h1>Hoopoe API</h1>", contents_html(document));
    html += &markdown(text(&document["info"]["description"]));
    html += "<p><a href=\"/openapi.json\">OpenAPI 3.1 document</a></p>";
    for tag in items(&document["tags"]) {
        let about = markdown(text(&tag["description"]));
        let _ = write!(html, "<h2>{}</h2>{about}", escaped(text(&tag["name"])));
        for (path, method, operation) in operations_of(document, tag) {
            html += &operation_html(path, method, operation);
        }
    }
    html += "<h2 id=\"shapes\">Shapes</h2>";
    for (name, schema) in members(&document["components"]["schemas"]) {
        html += &schema_html(name, schema);
    }
    html += "<h2 id=\"event-types\">Event types</h2>";
    for (name, webhook) in members(&document["webhooks"]) {
        html += &webhook_html(name, &webhook["post"]);
    }
    html + &codes_html() + "</main></div>"
}

/// The column of links beside the page.
fn contents_html(document: &Value) -> String {
    let mut html =
        String::from("<nav aria-label=\"Contents\"><a class=\"home\" href=\"/docs\">Hoopoe API</a>");
    for tag in items(&document["tags"]) {
        let _ = write!(html, "<strong>{}</strong>", escaped(text(&tag["name"])));
        for (_, _, operation) in operations_of(document, tag) {
            let id = escaped(text(&operation["operationId"]));
            let _ = write!(html, "<a href=\"#{id}\">{}</a>", escaped(title_of(operation)));
        }
    }
    html +=
        "<strong>Reference</strong><a href=\"#shapes\">Shapes</a><a href=\"#error-codes\">Error codes</a>";
    html += "<strong>Event types</strong>";
    for (name, _) in members(&document["webhooks"]) {
        let _ = write!(html, "<a href=\"#event-{0}\">{0}</a>", escaped(name));
    }
    html + "</nav>"
}

fn codes_html() -> String {
    let mut html = String::from("<h2 id=\"error-codes\">Error codes</h2><ul>");
    for code in Code::ALL {
        let (code, title) = (code.as_str(), escaped(code.title()));
        let _ = write!(html, "<li><a href=\"/docs/errors/{code}\"><code>{code}</code></a> {title}</li>");
    }
    html + "</ul>"
}

fn title_of(operation: &Value) -> &str {
    text(&operation["summary"]).trim_end_matches('.')
}

fn operation_html(path: &str, method: &str, operation: &Value) -> String {
    let id = escaped(text(&operation["operationId"]));
    let mut html = format!("<h3 id=\"{id}\">{}</h3>", escaped(title_of(operation)));
    let _ = write!(
        html,
        "<p class=\"route\"><span class=\"method {0}\">{1}</span> <code>{2}</code></p>",
        escaped(method),
        escaped(&method.to_uppercase()),
        escaped(path)
    );
    html += &markdown(text(&operation["description"]));
    let parameters = items(&operation["parameters"]);
    let rows = parameters
        .map(|parameter| [text(&parameter["name"]), text(&parameter["in"]), text(&parameter["description"])]);
    html += &table(["Parameter", "In", "Meaning"], rows);
    for (media, content) in members(&operation["requestBody"]["content"]) {
        let _ =
            write!(html, "<p>Body: <code>{}</code> {}</p>", escaped(media), kind_html(&content["schema"]));
    }
    let rows = members(&operation["responses"]).map(|(status, response)| {
        let shape = members(&response["content"]).next().map(|(_, content)| kind_html(&content["schema"]));
        let meaning = format!("{} {}", markdown(text(&response["description"])), shape.unwrap_or_default());
        format!("<tr><td>{}</td><td>{meaning}</td></tr>", escaped(status))
    });
    let rows: String = rows.collect();
    html + &format!(
        "<table><thead><tr><th>Status</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

fn schema_html(name: &str, schema: &Value) -> String {
    let mut html = format!("<h3 id=\"shape-{0}\">{0}</h3>", escaped(name));
    html += &markdown(text(&schema["description"]));
    let mut rows = String::new();
    let parts = std::iter::once(schema).chain(items(&schema["allOf"]));
    for part in parts {
        if part.get("$ref").is_some() {
            let _ = write!(rows, "<tr><td colspan=\"3\">all of {}</td></tr>", kind_html(part));
        }
        for (field, kind) in members(&part["properties"]) {
            let about = markdown(text(&kind["description"]));
            let _ = write!(
                rows,
                "<tr><td><code>{}</code></td><td>{}</td><td>{about}</td></tr>",
                escaped(field),
                kind_html(kind)
            );
        }
    }
    html + &format!(
        "<table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

fn webhook_html(name: &str, webhook: &Value) -> String {
    let content = &webhook["requestBody"]["content"]["application/json"];
    let example = serde_json::to_string_pretty(&content["example"]).unwrap_or_default();
    format!(
        "<h3 id=\"event-{0}\">{0}</h3>{1}<pre><code>{2}</code></pre>",
        escaped(name),
        markdown(text(&webhook["description"])),
        escaped(&example)
    )
}

/// A type in a few words, with links to shapes.
fn kind_html(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#shape-{0}\">{0}</a>", escaped(name));
    }
    let either: Vec<String> = items(&schema["oneOf"]).map(kind_html).collect();
    if !either.is_empty() {
        return either.join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind).to_owned(),
    };
    match schema.get("items") {
        Some(item) => format!("{} of {}", escaped(&kinds), kind_html(item)),
        None => escaped(&kinds),
    }
}

fn table<'a>(head: [&str; 3], rows: impl Iterator<Item = [&'a str; 3]>) -> String {
    let rows: String = rows
        .map(|[name, place, about]| {
            format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escaped(name),
                escaped(place),
                markdown(about)
            )
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    let [a, b, c] = head;
    format!(
        "<table><thead><tr><th>{a}</th><th>{b}</th><th>{c}</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

/// Path, method and operation of each operation that carries the tag.
fn operations_of<'a>(
    document: &'a Value,
    tag: &'a Value,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    members(&document["paths"])
        .flat_map(|(path, item)| members(item).map(move |(method, operation)| (path, method, operation)))
        .filter(|(_, _, operation)| operation["tags"][0] == tag["name"])
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Links between the error pages lead to their routes; other files of the book are not served here.
fn markdown(source: &str) -> String {
    let events = Parser::new_ext(source, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: routed(dest_url), title, id })
        }
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        other => other,
    });
    let mut html = String::new();
    html::push_html(&mut html, events);
    html
}

fn routed(target: CowStr<'_>) -> CowStr<'_> {
    match target.strip_suffix(".md") {
        Some(page) if Code::parse(page).is_some() => format!("/docs/errors/{page}").into(),
        Some(_) => "/docs".into(),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_between_error_pages_lead_to_their_routes_and_html_is_escaped() {
        let html =
            markdown("[a](not-found.md) [b](../reference/events/index.md) [c](https://example.com) <script>");
        assert_eq!(
            html,
            "<p><a href=\"/docs/errors/not-found\">a</a> <a href=\"/docs\">b</a> <a href=\"https://example.com\">c</a> &lt;script&gt;</p>\n"
        );
    }

    #[test]
    fn every_page_begins_with_its_code_and_names_its_status() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {}\n", code.as_str())), "{code:?}");
            let headline = format!("**{} · {}**", code.status().as_u16(), code.title());
            assert!(page.contains(&headline), "{code:?}: {headline}");
        }
    }
}
