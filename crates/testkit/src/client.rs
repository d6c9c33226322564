//! A small HTTP client for tests: keep-alive, JSON in and out, every status a value.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::Sse;

/// Speaks to one server with one key. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    headers: HeaderMap,
    http: HyperClient<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// `base`: such as `http://127.0.0.1:8080`.
    pub fn new(base: impl Into<String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = HyperClient::builder(TokioExecutor::new()).build(connector);
        Self { base: base.into(), headers: HeaderMap::new(), http }
    }

    /// Sends this API key with every request.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {key}"))
    }

    /// Sends this header with every request, in place of one of the same name.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    /// Sends no header of that name.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn get(&self, path: &str) -> Answered {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// A stream of events; what refuses it is answered.
    ///
    /// # Errors
    /// The answer, where it is no stream.
    pub async fn open(&self, path: &str) -> Result<Sse, Answered> {
        let response = self.ask(Method::GET, path, Bytes::new()).await.expect("the server answers");
        let (parts, body) = response.into_parts();
        if parts.headers.get("content-type").is_some_and(|value| value == "text/event-stream") {
            return Ok(Sse::new(parts.headers, body));
        }
        let body = body.collect().await.expect("the answer is whole").to_bytes();
        Err(Answered { status: parts.status, headers: parts.headers, body })
    }

    pub async fn delete(&self, path: &str) -> Answered {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answered {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answered {
        self.send(Method::PUT, path, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answered {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    /// Exactly these bytes.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answered {
        self.try_send(method, path, body).await.expect("the server answers")
    }

    /// As [`send`](Self::send), for servers that may be dead: the error says how no answer came.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answered, String> {
        let response = self.ask(method, path, body.into()).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok(Answered { status: parts.status, headers: parts.headers, body })
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, String> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.base).parse().expect("a URL");
        if !body.is_empty() {
            request
                .headers_mut()
                .insert("content-type", "application/json".parse().expect("a header's value"));
        }
        request.headers_mut().extend(self.headers.clone());
        self.http.request(request).await.map_err(|error| format!("{error:?}"))
    }
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The header's value, if there is one that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The JSON body; fails the test when the status is another.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem's body; fails the test when it is none, or has another status or code.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!(
            (problem["status"].as_u64(), problem["code"].as_str()),
            (Some(status.into()), Some(code)),
            "{problem}"
        );
        for member in ["type", "title", "detail", "requestId"] {
            assert!(problem[member].is_string(), "`{member}` in {problem}");
        }
        problem
    }
}
