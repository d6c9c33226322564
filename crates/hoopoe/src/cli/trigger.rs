//! `hoopoe trigger`: publishes the catalogue's example of a type through the API of a running server.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use catalogue::{Catalogue, EventType, with_fields};
use clap::Args;
use domain::event::EventScope;
use domain::scope::Owner;
use serde_json::Value;

use super::connection::{Answer, Connection};

#[derive(Debug, Args)]
pub(super) struct TriggerArgs {
    /// Event type, such as ContactCreate
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Location that the event happens in, in place of the example's
    #[arg(long, value_name = "ID")]
    location: Option<String>,
    /// Company, in place of the example's
    #[arg(long, value_name = "ID")]
    company: Option<String>,
    /// App, in place of the example's
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Sets a field of the payload: city=Austin, or contact.tags.0=vip; repeatable
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    assignments: Vec<String>,
    /// The server's base URL
    #[arg(long, env = "HOOPOE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// An API key that may publish
    #[arg(long, env = "HOOPOE_API_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
}

impl TriggerArgs {
    fn owners(&self) -> anyhow::Result<Vec<Owner>> {
        let given = [("location", &self.location), ("company", &self.company), ("app", &self.app)];
        let given = given.into_iter().filter_map(|(kind, id)| Some((kind, id.as_deref()?)));
        given
            .map(|(kind, id)| {
                Owner::from_parts(kind, id).with_context(|| {
                    format!("--{kind} `{id}` is no id: 1 to 64 of A-Z, a-z, 0-9, `_` and `-`")
                })
            })
            .collect()
    }
}

pub(super) fn run(args: TriggerArgs) -> anyhow::Result<ExitCode> {
    let Some(key) = &args.key else {
        bail!("no API key: give one with --key or in HOOPOE_API_KEY (`hoopoe serve` printed the first one)");
    };
    let body = payload(&args)?;
    let connection = Connection::to(&args.url)?;
    let answer = connection.post("/v1/events", key, body)?;
    println!("{}", told(&answer, &args.url)?);
    Ok(ExitCode::SUCCESS)
}

/// The example with the ids put in that were given, and then the single fields.
fn payload(args: &TriggerArgs) -> anyhow::Result<Vec<u8>> {
    let catalogue = Catalogue::builtin();
    let event_type = find(&catalogue, &args.event_type)?;
    let mut owners = args.owners()?;
    // The id that decides where the event goes is put wherever the example speaks of it; the others are plain fields.
    let decides = |owner: &Owner| {
        [Some(event_type.scope()), event_type.scope_else()].contains(&EventScope::parse(owner.kind()))
    };
    let deciding = owners.iter().position(decides).map(|place| owners.remove(place));
    let example = match deciding {
        Some(owner) => catalogue.example_for(event_type.index(), &owner),
        None => event_type.example().as_bytes().to_vec(),
    };
    let others = owners.iter().map(|owner| format!("{}Id=\"{}\"", owner.kind(), owner.id()));
    let assignments: Vec<String> = others.chain(args.assignments.iter().cloned()).collect();
    with_fields(&example, &assignments).context("a --set is not usable")
}

pub(super) fn find<'a>(catalogue: &'a Catalogue, name: &str) -> anyhow::Result<&'a EventType> {
    if let Some(event_type) = catalogue.find(name) {
        return Ok(event_type);
    }
    match catalogue.suggest(name) {
        Some(similar) => bail!("there is no event type `{name}`; did you mean `{}`?", similar.name()),
        None => bail!("there is no event type `{name}`; GET /v1/event-types lists them all"),
    }
}

/// What the server said, for a person.
fn told(answer: &Answer, url: &str) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 202 {
        bail!("{}", super::refusal(answer.status, &body, url));
    }
    let (Some(id), Some(count)) = (body["id"].as_str(), body["deliveries"].as_u64()) else {
        bail!("what answers at {url} is no Hoopoe server; check --url");
    };
    let deliveries = match count {
        0 => "no deliveries: no endpoint wants it".to_owned(),
        1 => "1 delivery".to_owned(),
        _ => format!("{count} deliveries"),
    };
    Ok(format!("{id} accepted, {deliveries}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(event_type: &str) -> TriggerArgs {
        TriggerArgs {
            event_type: event_type.to_owned(),
            location: None,
            company: None,
            app: None,
            assignments: Vec::new(),
            url: String::new(),
            key: None,
        }
    }

    #[test]
    fn ids_and_fields_are_put_into_the_example() {
        let args = TriggerArgs {
            location: Some("loc-1".into()),
            assignments: vec!["city=Austin".into()],
            ..args("ContactCreate")
        };
        let payload: Value = serde_json::from_slice(&payload(&args).unwrap()).unwrap();
        assert_eq!((&payload["locationId"], &payload["city"]), (&"loc-1".into(), &"Austin".into()));
    }

    #[test]
    fn what_cannot_be_triggered_is_said_in_a_sentence() {
        let wrong_id = TriggerArgs { location: Some("no id".into()), ..args("ContactCreate") };
        let wrong_set = TriggerArgs { assignments: vec!["city".into()], ..args("ContactCreate") };
        for (args, said) in
            [(args("ContactCreat"), "ContactCreate"), (wrong_id, "--location"), (wrong_set, "--set")]
        {
            let error = format!("{:#}", payload(&args).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }
}
