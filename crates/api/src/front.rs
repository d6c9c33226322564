//! The door: every request goes to the router but the one that comes thousands of times a second, for which the way
//! through a router's boxed layers would cost more than its work. Both are observed and guarded alike (`layers`).

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Method, Request};
use tower_service::Service;

use crate::Api;
use crate::body::Command;
use crate::caller::{Peer, Publisher};
use crate::events::{PUBLISH_PATH, publish_event};
use crate::layers::{self, Asked};
use crate::problem::Problem;

/// The API, and whatever the router has beside it, as one service.
#[derive(Debug, Clone)]
pub struct Front {
    api: Arc<Api>,
    router: Router,
    /// The other end of the connection that this one serves.
    peer: Option<IpAddr>,
}

impl Front {
    /// `router`: this crate's own, alone or merged with others.
    pub fn new(api: Arc<Api>, router: Router) -> Self {
        Self { api, router, peer: None }
    }

    /// For the requests of one connection.
    #[must_use]
    pub fn of_peer(self, address: IpAddr) -> Self {
        Self { peer: Some(address.to_canonical()), ..self }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<B> Service<Request<B>> for Front
where
    B: http_body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let mut request = request.map(Body::new);
        if let Err(problem) = layers::judge_head(request.version(), request.headers()) {
            let api = Arc::clone(&self.api);
            return Box::pin(async move {
                let head = (request.method(), request.headers());
                Ok(layers::refused_head(&api, head, problem).await)
            });
        }
        if request.method() == Method::POST && request.uri().path() == PUBLISH_PATH {
            let (api, peer) = (Arc::clone(&self.api), self.peer);
            return Box::pin(async move { Ok(publish(api, request, peer).await) });
        }
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        // Always ready: a router has no state that could be busy.
        Box::pin(self.router.call(request))
    }
}

async fn publish(api: Arc<Api>, request: Request<Body>, peer: Option<IpAddr>) -> Response {
    let asked =
        Asked { method: "POST", route: PUBLISH_PATH, id: layers::request_id(&api, request.headers()) };
    let work = Box::pin(published(Arc::clone(&api), request, peer));
    layers::observed(&api, asked, layers::guarded(&api, &Method::POST, work)).await
}

async fn published(api: Arc<Api>, request: Request<Body>, peer: Option<IpAddr>) -> Response {
    let run = async {
        let (parts, body) = request.into_parts();
        let caller = Publisher::of(&api, &parts.headers, peer)?;
        let uri = parts.uri.clone();
        let command = Command::from_request(Request::from_parts(parts, body), &()).await?;
        publish_event(State(api), caller, uri, command).await
    };
    run.await.unwrap_or_else(Problem::into_response)
}
