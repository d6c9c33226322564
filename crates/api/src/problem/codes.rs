//! Every code that a problem can carry, in one table: its name, its status and its title.
//!
//! A code is stable once published, and each has a page `docs/errors/<code>.md`; `xtask tidy` compares the two.

use http::StatusCode;

macro_rules! codes {
    ($($variant:ident => $text:literal, $status:literal, $title:literal;)*) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($variant,)* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kebab-case name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
            /// The HTTP status that goes with it.
            pub fn status(self) -> StatusCode {
                let number = match self { $(Self::$variant => $status,)* };
                StatusCode::from_u16(number).expect("the table holds statuses only")
            }
            /// The page that explains it, in Markdown.
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("../../../../docs/errors/", $text, ".md")),)*
                }
            }
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }
            /// What it is called on a page.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    InvalidJson => "invalid-json", 400, "The body is not JSON";
    NotAnObject => "not-an-object", 422, "The payload is not an object";
    DuplicateKey => "duplicate-key", 422, "A member is named twice";
    UnknownType => "unknown-type", 422, "There is no such event type";
    InvalidPayload => "invalid-payload", 422, "The payload breaks its type's rules";
    PayloadTooLarge => "payload-too-large", 413, "The body is too large";
    BatchTooLarge => "batch-too-large", 422, "A batch has 1 to 1,000 events";
    UnknownField => "unknown-field", 422, "The body has a field that does not exist";
    InvalidRequest => "invalid-request", 422, "The request has faults";
    InvalidCursor => "invalid-cursor", 400, "The cursor was not issued for this list";
    Unauthorized => "unauthorized", 401, "No valid credentials";
    Forbidden => "forbidden", 403, "The key may not do this";
    NotFound => "not-found", 404, "There is nothing here";
    MethodNotAllowed => "method-not-allowed", 405, "The route does not have this method";
    HeadersTooLarge => "headers-too-large", 431, "The headers are too large";
    InvalidHost => "invalid-host", 400, "The Host header cannot be used";
    UnsupportedMediaType => "unsupported-media-type", 415, "The body's media type is not accepted";
    InvalidUrl => "invalid-url", 422, "The endpoint's URL is refused";
    InvalidSecret => "invalid-secret", 422, "The secret cannot be used";
    InvalidHeader => "invalid-header", 422, "A header of the endpoint cannot be set";
    EndpointLimit => "endpoint-limit", 422, "The owner has as many endpoints as it may";
    ApiKeyLimit => "api-key-limit", 422, "The owner has as many API keys as it may";
    SessionLimit => "session-limit", 422, "The owner has as many sessions as it may";
    EndpointDisabled => "endpoint-disabled", 409, "The endpoint is disabled";
    RotationInProgress => "rotation-in-progress", 409, "A rotation is already running";
    NoRotation => "no-rotation", 409, "There is no rotation to promote";
    ExternalMasterKey => "external-master-key", 409, "The master key is set from outside";
    DeliveryFinished => "delivery-finished", 409, "The delivery is finished";
    IdempotencyMismatch => "idempotency-mismatch", 422, "The key was used for another request";
    IdempotencyInProgress => "idempotency-in-progress", 409, "The first request is still running";
    InvalidIdempotencyKey => "invalid-idempotency-key", 400, "The Idempotency-Key cannot be used";
    NotAvailableYet => "not-available-yet", 422, "This is not available yet";
    TooManyRequests => "too-many-requests", 429, "Too many requests";
    RequestTimeout => "request-timeout", 408, "The request took too long to arrive";
    StoreUnavailable => "store-unavailable", 503, "The store cannot be reached";
    InternalError => "internal-error", 500, "Something went wrong on our side";
}
