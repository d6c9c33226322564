//! The stable name of every finding, and the sentence for it.
//!
//! Words only: which findings apply is decided in `report`. A sentence says what was done wrong and how to mend it,
//! to a developer who sees webhooks for the first time.

/// Makes the codes from one table, so that none lacks its name or its sentence.
macro_rules! findings {
    ($($code:ident $name:literal $template:literal)*) => {
        /// The stable name of a kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingCode {
            $(#[doc = $template] $code,)*
        }

        impl FindingCode {
            /// Every code there is, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// Kebab-case, for JSON and for machines.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// The sentence, with `{header}`, `{other}` (header names) and `{detail}` still to be filled in.
            pub(super) fn template(self) -> &'static str {
                match self { $(Self::$code => $template,)* }
            }
        }
    };
}

findings! {
    Valid "valid"
    "`{header}` is right: it was made with {detail} over exactly this body."

    NoSecret "no-secret"
    "No secret was given, so nothing can be checked. Copy the endpoint's secret, from `whsec_` to its last character."
    NoSignature "no-signature"
    "No signature was given. Pass the request's header `x-wl-signature`, or `webhook-signature` together with `webhook-id` and `webhook-timestamp`; look whether a proxy removes them and whether your framework spells header names in lower case."
    MissingHeader "missing-header"
    "`webhook-signature` also covers `{detail}`, which is missing. Pass its value exactly as it was received."

    SecretMalformed "secret-malformed"
    "This is no secret as Hoopoe issues or accepts it: {detail}"
    SecretSurrounded "secret-surrounded"
    "The secret has white space, a line break or quotation marks around it and is right without them. Trim it where it is read, and look at the file or variable that it comes from."
    SecretWithoutPrefix "secret-without-prefix"
    "The secret is right once `whsec_` is put before it: the prefix was lost. Copy the secret whole, from `whsec_` on."
    PlaceholderSecret "placeholder-secret"
    "`{header}` was made with no secret at all (an empty text, or the word `undefined`, `null` or `None`): the variable that should hold the secret was not set where the signature was made. Set it, and refuse to start without it."

    KeyDecoded "key-decoded"
    "`{header}` was made with the base64-decoded secret as key. For `x-wl-signature` the key is the secret's text as it is shown, `whsec_` included, without decoding."
    KeyNotDecoded "key-not-decoded"
    "`{header}` was made with the secret's text as key. For `webhook-signature` the key is what follows `whsec_`, decoded from base64."
    KeyHexDecoded "key-hex-decoded"
    "`{header}` was made with the hex-decoded secret as key. Use the secret's text itself as key, without decoding."
    RawModeMissing "raw-mode-missing"
    "`{header}` was made with the base64-decoded secret as key, but a secret without `whsec_` is used as it is. Tell the Standard Webhooks library so: `new Webhook(secret, {format: \"raw\"})` in JavaScript, bytes instead of a string in Python."
    SignedWithoutPrefix "signed-without-prefix"
    "`{header}` was made without the secret's `whsec_`. For `x-wl-signature` the prefix is part of the key: use the whole text."
    SignedWithSurroundings "signed-with-surroundings"
    "`{header}` was made with white space or a line break around the secret (`echo` adds one; `echo -n` and `printf %s` do not). Trim the secret before it is used as key."

    MalformedSignature "malformed-signature"
    "`{header}` holds no signature: expected are {detail}. Look whether another header was read, or a log masked the value."
    SignatureCutShort "signature-cut-short"
    "`{header}` is too short to be whole: expected are {detail}. Copy it to its last character, and look at the length of the database column or log field that it comes from."
    Ed25519Only "ed25519-only"
    "`{header}` holds only `v1a` signatures, which are made with a private key and not with the secret. Check the `v1` entry of the same header with the secret, or the `v1a` entry with the public key."
    HeaderNameInValue "header-name-in-value"
    "The header's name stands in its value. Pass what comes after the colon and the space."
    SignatureSurrounded "signature-surrounded"
    "`{header}` has white space or quotation marks around the signature, which are no part of it. Remove them."
    Sha256Prefix "sha256-prefix"
    "`{header}` begins with `sha256=`, as GitHub writes it. Here the signature stands alone: remove that prefix, and do not expect it."
    V1Missing "v1-missing"
    "The entry of `{header}` lacks its version. Each begins with `v1,` followed by base64."
    UpperCaseHex "upper-case-hex"
    "`{header}` is written in upper-case hex. It is always lower-case: write your own digest in lower case too, or compare decoded bytes."
    HexInsteadOfBase64 "hex-instead-of-base64"
    "`{header}` is written in hex. In this header the digest is base64 (44 characters that end in `=`)."
    Base64InsteadOfHex "base64-instead-of-hex"
    "`{header}` is written in base64. In this header the digest is lower-case hex (64 characters): `digest('hex')`, not `digest('base64')`."
    Base64OfHex "base64-of-hex"
    "`{header}` is base64 of the digest's hex text: it was encoded twice. Encode the digest's 32 bytes themselves, once."
    Base64UrlSafe "base64-url-safe"
    "`{header}` is URL-safe or unpadded base64. Use the standard alphabet (`+` and `/`) with `=` at the end."

    SignatureOfOtherFamily "signature-of-other-family"
    "What stands in `{header}` is the signature of `{other}`. The request carries both: pass each under its own name and check it by its own rule."
    SignedBodyOnly "signed-body-only"
    "`{header}` was made over the body alone. What it signs is `webhook-id`, a full stop, `webhook-timestamp`, a full stop, and the body."
    SignedIdAndTimestamp "signed-id-and-timestamp"
    "`{header}` was made over id, timestamp and body. What it signs is the body alone."

    BodyEmpty "body-empty"
    "The body is empty, and no delivery's is. It was probably read before (a stream can be read once): take the raw bytes first, and parse those."
    EmptyBodySigned "empty-body-signed"
    "`{header}` was made over an empty body. Where it was made the body had already been read (a stream can be read once): take the raw bytes first, and parse those."
    BodyIsObjectObject "body-is-object-object"
    "The body is JavaScript's `[object Object]`: a parsed object was turned into text. Use the request's raw bytes (`express.raw({type: 'application/json'})`, `await request.text()`)."
    BodyNotJson "body-not-json"
    "The body is not JSON, and every delivery's is. Look whether it was printed by a program (Python's `b'…'` or `{'a': 1}`), cut off, compressed or form-encoded on its way."
    BodyReformatted "body-reformatted"
    "The signature in `{header}` fits the body {detail}: somebody parsed it and wrote it again. Check the raw bytes as they were received, before any JSON parser sees them, and never the output of one."
    BodyKeyOrder "body-key-order"
    "The signature in `{header}` fits the body {detail}: somebody parsed it and wrote it again in another order. Check the raw bytes as they were received."
    BodyEscapes "body-escapes"
    "The signature in `{header}` fits the body {detail}: somebody parsed it and wrote its strings in another way. Check the raw bytes as they were received."
    BodyEnd "body-end"
    "The signature in `{header}` fits the body {detail}. Editors, `echo` and reading line by line add or take line breaks: use the bytes as they were received (`curl --data-binary`, `printf %s`)."
    BodyLineEndings "body-line-endings"
    "The signature in `{header}` fits the body {detail}: its line ends were converted. Read and store it as bytes, not as text."
    BodyByteOrderMark "body-byte-order-mark"
    "The signature in `{header}` fits the body {detail}. Some editors add those three invisible bytes, some readers swallow them: read and store the body as bytes."
    BodyCharset "body-charset"
    "The signature in `{header}` fits the body {detail}: it was decoded with the wrong character set. Use the raw bytes, or UTF-8 everywhere."
    BodyJsonString "body-json-string"
    "The signature in `{header}` fits the body {detail}: `JSON.stringify` was applied to what was text already. Use the text itself."
    BodyBase64 "body-base64"
    "The signature in `{header}` fits the body {detail}. Gateways hand bodies on like that (AWS Lambda's `isBase64Encoded`): decode it before checking."

    MalformedTimestamp "malformed-timestamp"
    "`webhook-timestamp` is no Unix time in whole seconds (ten digits, such as 1700000000). Pass the header exactly as it was received."
    TimestampInMilliseconds "timestamp-in-milliseconds"
    "`webhook-timestamp` is in milliseconds. It counts seconds: in JavaScript `Math.floor(Date.now() / 1000)`."
    SignedMilliseconds "signed-milliseconds"
    "`{header}` was made over a timestamp in milliseconds. Use `webhook-timestamp` exactly as it was sent, in seconds."
    TimestampTooOld "timestamp-too-old"
    "`webhook-timestamp` is {detail} old, and a receiver accepts 5 minutes at most, so that nobody can send a recorded request again. If this is a stored request, that alone is no fault; if it just came, set the receiver's clock (NTP), or check before queueing and not after."
    TimestampTooNew "timestamp-too-new"
    "`webhook-timestamp` lies {detail} in the future, more than the 5 minutes that a receiver accepts. Set the clocks (NTP), and compare in UTC."

    PreviousSecret "previous-secret"
    "`webhook-signature` is right with this secret and `x-wl-signature` is not: the secret was rotated, and while the grace period runs `x-wl-signature` is still made with the previous one. Accept both secrets until it ends."
    IdOrTimestampMismatch "id-or-timestamp-mismatch"
    "`x-wl-signature` is right, so secret and body are. `webhook-signature` also covers `webhook-id` and `webhook-timestamp`: at least one of the three comes from another request. Each attempt has a timestamp of its own, so take all headers from the same one."
    WrongSecretOrBody "wrong-secret-or-body"
    "`{header}` fits neither the secret nor any usual mistake with it or with the body. Most likely this is another endpoint's secret, or one from before a rotation: compare it with the one shown for the endpoint. Otherwise the body is not the one that was sent: log its length in bytes and compare it with the `content-length` that was received."
    SearchCutShort "search-cut-short"
    "The body is so long that not every way of rewriting it was tried. Send a test event with a short body to find out more."
}
