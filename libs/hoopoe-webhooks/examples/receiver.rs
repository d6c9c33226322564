//! A receiver that verifies what it gets: `webhook-signature` under one path, `x-wl-signature` under another.

use std::env;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hoopoe_webhooks::{Headers, Secret, VerifyError, Window, verify_standard, verify_x_wl};

const BODY_BYTES_MAX: usize = 1024 * 1024;

type Secrets = &'static [Secret];

async fn standard(State(secrets): State<Secrets>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let window = Window::at(i64::try_from(now).unwrap_or(i64::MAX));
    answer(verify_standard(secrets, &signatures(&headers), &body, window), &body)
}

async fn x_wl(State(secrets): State<Secrets>, headers: HeaderMap, body: Bytes) -> StatusCode {
    answer(verify_x_wl(secrets, signatures(&headers).x_wl_signature, &body), &body)
}

fn signatures(headers: &HeaderMap) -> Headers<'_> {
    Headers::from_lookup(|name| headers.get(name)?.to_str().ok())
}

fn answer(verified: Result<(), VerifyError>, body: &Bytes) -> StatusCode {
    if let Err(error) = verified {
        eprintln!("refused: {error}");
        return StatusCode::UNAUTHORIZED;
    }
    println!("received {} bytes", body.len()); // store or queue the body here, work later
    StatusCode::OK
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut secrets = vec![env::var("WEBHOOK_SECRET").map_err(|_| "set WEBHOOK_SECRET")?.parse()?];
    if let Some(previous) = env::var("WEBHOOK_SECRET_PREVIOUS").ok().filter(|text| !text.is_empty()) {
        secrets.push(previous.parse()?);
    }
    let router = Router::new()
        .route("/hooks/standard", post(standard))
        .route("/hooks/x-wl", post(x_wl))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(&*secrets.leak());
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
