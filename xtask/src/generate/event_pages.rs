//! `docs/reference/events/`: a page for each event type and an index by category, from the catalogue.

use std::fmt::Write as _;

use anyhow::Context as _;
use catalogue::{Catalogue, EventType, scope_field};
use domain::event::EventScope;
use serde_json::Value;

use super::Output;
use super::fields::{self, Field};

const FOLDER: &str = "docs/reference/events";
const MARK: &str = "<!-- Generated from catalogue/ by `cargo run -p xtask -- gen`. Do not edit. -->";

pub(super) fn generate() -> anyhow::Result<Output> {
    let catalogue = Catalogue::builtin();
    let mut files = vec![(format!("{FOLDER}/index.md"), index(&catalogue))];
    for event_type in catalogue.types() {
        let page = page(event_type).with_context(|| format!("the page of {}", event_type.name()))?;
        files.push((format!("{FOLDER}/{}.md", event_type.name()), page));
    }
    Ok(Output { files, owned_folders: vec![FOLDER] })
}

fn index(catalogue: &Catalogue) -> String {
    let mut text = format!("# Event types\n\n{MARK}\n\n");
    let types = catalogue.types();
    let _ = writeln!(
        text,
        "The {} types of the built-in catalogue. Subscribe to them by name, or to all of them with `[\"*\"]`.",
        types.len()
    );
    for of_category in types.chunk_by(|a, b| a.category() == b.category()) {
        let _ = writeln!(
            text,
            "\n## {}\n\n| type | what fires it | whose event | an app needs |",
            of_category[0].category()
        );
        text.push_str("|---|---|---|---|\n");
        for event_type in of_category {
            let _ = writeln!(
                text,
                "| [{0}]({0}.md) | {1} | {2} | {3} |",
                event_type.name(),
                cell(event_type.summary()),
                whose(event_type),
                needs(event_type)
            );
        }
    }
    text
}

fn page(event_type: &EventType) -> anyhow::Result<String> {
    let schema: Value = serde_json::from_str(event_type.schema())?;
    let example: Value = serde_json::from_str(event_type.example())?;
    let sections = [
        introduction(event_type),
        field_table(&schema),
        format!("## Example\n\n{}", json_block(&example)?),
        delivery(event_type),
        format!(
            "## Schema\n\nJSON Schema 2020-12. `format` is a hint and is not checked.\n\n{}",
            json_block(&schema)?
        ),
    ];
    Ok(sections.join("\n"))
}

fn introduction(event_type: &EventType) -> String {
    let mut text = format!("# {}\n\n{MARK}\n\n", event_type.name());
    let _ = writeln!(text, "**{}.** {}", event_type.title(), event_type.summary());
    if let Some(notes) = event_type.notes() {
        let _ = writeln!(text, "\n{notes}");
    }
    let _ = writeln!(text, "\n| | |\n|---|---|\n| category | {} |", event_type.category());
    let _ =
        writeln!(text, "| whose event | {} |\n| an app needs | {} |", whose(event_type), needs(event_type));
    let aliases: Vec<String> = event_type.aliases().iter().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        let _ = writeln!(text, "| also accepted as | {} |", aliases.join(", "));
    }
    text
}

fn whose(event_type: &EventType) -> String {
    let one = |scope: EventScope| format!("{} (`{}`)", scope.as_str(), scope_field(scope));
    match event_type.scope_else() {
        Some(second) => format!("{}, or else {}", one(event_type.scope()), one(second)),
        None => one(event_type.scope()),
    }
}

fn needs(event_type: &EventType) -> String {
    event_type.oauth_scope().map_or_else(|| "no scope".to_owned(), |scope| format!("`{scope}`"))
}

fn field_table(schema: &Value) -> String {
    let mut text = "## Fields\n\n| field | type | required | description |\n|---|---|---|---|\n".to_owned();
    for Field { path, kind, is_required, description } in fields::fields(schema) {
        let required = if is_required { "yes" } else { "" };
        let _ = writeln!(text, "| `{path}` | {kind} | {required} | {} |", cell(&description));
    }
    let alternatives = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let alternatives: Vec<String> = alternatives
        .flat_map(|branch| fields::strings(branch.get("required")).map(|name| format!("`{name}`")))
        .collect();
    if !alternatives.is_empty() {
        let _ = writeln!(text, "\nAt least one of {} is required.", alternatives.join(", "));
    }
    text.push_str("\nFields that are not listed may be there; ignore those that you do not know.\n");
    text
}

fn delivery(event_type: &EventType) -> String {
    let name = event_type.name();
    format!(
        "## Delivery\n\n\
         ```http\n\
         POST /your/path HTTP/1.1\n\
         content-type: application/json\n\
         user-agent: Hoopoe/<version>\n\
         x-wl-event: {name}\n\
         x-wl-delivery: dlv_…\n\
         x-wl-attempt: 1\n\
         x-wl-signature: <lower-case hex of HMAC-SHA256 over the body>\n\
         webhook-id: evt_…\n\
         webhook-timestamp: <seconds since 1970>\n\
         webhook-signature: v1,<base64>\n\
         ```\n\n\
         The body is the payload, byte for byte as it was published. Verify a signature before you read it, answer \
         with any 2xx within 10 seconds, and expect the same `webhook-id` more than once. To send yourself the \
         example:\n\n\
         ```sh\n\
         hoopoe trigger {name}\n\
         ```\n"
    )
}

fn json_block(value: &Value) -> anyhow::Result<String> {
    Ok(format!("```json\n{}\n```\n", serde_json::to_string_pretty(value)?))
}

/// Text for a table's cell, in which a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
