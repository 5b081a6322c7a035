//! The one list of error codes: the same in Rust, over HTTP and in JavaScript, described in PROTOCOL.md.
//!
//! Add codes; never rename or reuse one.

use std::fmt;

/// What a client does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The server's final word on this one write: never retried by itself, needs attention.
    Definite,
    /// Somebody else's trouble: retried for ever, nothing is dropped.
    Transient,
    /// Paused until there is another token; nothing is dropped.
    Auth,
    /// Retried no sooner than asked.
    Throttle,
    /// One of the two sides does not keep to the protocol: reported, retried slowly.
    Protocol,
    /// Told to the caller on this device at once; nothing was saved.
    Local,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $class:ident;)*) => {
        /// A stable name for what went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of PROTOCOL.md.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The name on the wire and in JavaScript.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// What a client does about it.
            pub const fn class(self) -> Class {
                match self { $(Code::$name => Class::$class,)* }
            }
        }
    };
}

codes! {
    /// Not a mutation of this protocol: a field missing, an unknown `op`, an id of another form.
    InvalidMutation = "invalid_mutation", Definite;
    /// A path that is no JSON Pointer, leads into an array, or overlaps another of the same mutation.
    InvalidPath = "invalid_path", Definite;
    /// An operation that the field's declared merge does not have.
    InvalidOperation = "invalid_operation", Definite;
    /// A stamp that cannot be read.
    InvalidTimestamp = "invalid_timestamp", Definite;
    /// A field whose name is the protocol's own: `id`, or beginning with `_`.
    ReservedField = "reserved_field", Definite;
    /// The server's configuration does not name this collection.
    UnknownCollection = "unknown_collection", Definite;
    /// The caller may see this document but not do this to it.
    Forbidden = "forbidden", Definite;
    /// There is no such thing, or none that the caller may know of.
    NotFound = "not_found", Definite;
    /// The document was deleted, and so knowingly that a patch cannot bring it back.
    Gone = "gone", Definite;
    /// Its user did not want it any more and said so before the server had it.
    Discarded = "discarded", Definite;
    /// The same mutation id was used for something else before.
    IdReused = "id_reused", Definite;
    /// A rule of the collection refuses the document as it would be.
    ValidationFailed = "validation_failed", Definite;
    /// The document would be larger than the limit.
    DocumentTooLarge = "document_too_large", Definite;
    /// Objects and arrays nested deeper than the limit.
    TooDeep = "too_deep", Definite;
    /// More object keys than the limit.
    TooManyKeys = "too_many_keys", Definite;
    /// Another mutation of the same group was refused; `because` names it.
    GroupRefused = "group_refused", Definite;
    /// First sent so long ago that the server no longer knows whether it was applied.
    MaybeApplied = "maybe_applied", Definite;
    /// Somebody has settled this conflict already, and in another way.
    ConflictResolved = "conflict_resolved", Definite;
    /// The creation this depends on was refused or is unknown; `because` names it.
    Held = "held", Transient;

    /// The body is not JSON.
    MalformedJson = "malformed_json", Protocol;
    /// The envelope lacks something or holds something of another type.
    InvalidRequest = "invalid_request", Protocol;
    /// The cursor is not one that this server gave out.
    InvalidCursor = "invalid_cursor", Protocol;
    /// More mutations than a batch may have.
    BatchTooLarge = "batch_too_large", Protocol;
    /// The body is larger than the limit.
    PayloadTooLarge = "payload_too_large", Protocol;
    /// Neither the content type nor the encoding is one that the server reads.
    UnsupportedMediaType = "unsupported_media_type", Protocol;
    /// A protocol version that the server does not speak.
    UnsupportedProtocol = "unsupported_protocol", Protocol;
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", Protocol;
    /// The page that asks is of a site that the server was not told of.
    ForeignOrigin = "foreign_origin", Protocol;
    /// The headers are larger than the limit.
    HeadersTooLarge = "headers_too_large", Protocol;
    /// The answer breaks the protocol; what it said was ignored.
    ProtocolViolation = "protocol_violation", Protocol;

    /// No token, or one that is not valid here.
    InvalidToken = "invalid_token", Auth;
    /// The token has run out.
    TokenExpired = "token_expired", Auth;
    /// The token belongs to another user than the batch.
    UserMismatch = "user_mismatch", Auth;
    /// The token belongs to another tenant.
    TenantMismatch = "tenant_mismatch", Auth;
    /// The writer or the client belongs to somebody else.
    WriterMismatch = "writer_mismatch", Auth;

    /// Too many requests; come back after `Retry-After`.
    RateLimited = "rate_limited", Throttle;
    /// Too many verdicts that the client has not confirmed.
    SettleFirst = "settle_first", Throttle;
    /// The request took too long to arrive.
    RequestTimeout = "request_timeout", Transient;
    /// A fault of the server.
    Internal = "internal", Transient;
    /// The server is overloaded or shutting down.
    Unavailable = "unavailable", Transient;
    /// There is no room: on the server, or on this device.
    StorageFull = "storage_full", Transient;
    /// The server cannot be reached.
    Unreachable = "unreachable", Transient;
    /// Something answered that is not a Landfall server, such as the sign-in page of a network.
    NotOurs = "not_ours", Transient;

    /// An option of `open` is missing or wrong.
    InvalidOptions = "invalid_options", Local;
    /// A collection with a name that a database member has, or that was not declared.
    InvalidCollection = "invalid_collection", Local;
    /// A document that is not plain JSON, or uses a reserved name.
    InvalidDocument = "invalid_document", Local;
    /// The app's own schema refuses the value.
    SchemaInvalid = "schema_invalid", Local;
    /// There is already a document with this id.
    AlreadyExists = "already_exists", Local;
    /// The device's storage cannot be used.
    StorageUnavailable = "storage_unavailable", Local;
    /// Another tab holds on to an older version of the database on this device.
    StorageBlocked = "storage_blocked", Local;
    /// The WebAssembly core could not be fetched or started; the next `open` tries again.
    CoreUnavailable = "core_unavailable", Local;
    /// The core panicked; it starts anew from what is stored.
    CoreCrashed = "core_crashed", Local;
    /// Nobody has signed in, or the user has signed out: then what was stored here is deleted.
    SignedOut = "signed_out", Local;
    /// Signing out would delete writes that the server does not have.
    PendingWrites = "pending_writes", Local;
    /// The database was closed.
    Closed = "closed", Local;
    /// The server's word did not come within the time asked for; the write goes on.
    Timeout = "timeout", Local;
    /// The server refused the write; it is kept in the outbox.
    NeedsAttention = "needs_attention", Local;
    /// A transaction of more writes or bytes than a group may have.
    GroupTooLarge = "group_too_large", Local;
    /// The server fails whenever it gets this write; it is tried again every hour, and the others go on.
    Suspect = "suspect", Local;
    /// The app's own function could not bring the write to the version of its schema that the app declares.
    MigrationFailed = "migration_failed", Local;
    /// The write waits for a network that is not paid for by volume, as its app wants it.
    Unmetered = "unmetered", Local;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        }
    }
}
