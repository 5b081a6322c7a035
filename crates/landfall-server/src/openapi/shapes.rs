//! What goes over the wire in the core's types: the same members, for the description of the API.
//!
//! Nothing here is ever read or written. The tests hold these shapes against what is.

#![allow(dead_code, unused_qualifications, reason = "read and written by the derive alone")]

use std::collections::BTreeMap;

use landfall_core::id::NAME_BYTES_MAX;
use landfall_core::wire::BATCH_MUTATIONS_MAX;
use serde_json::Value;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// 128 random bits, as hexadecimal digits.
#[derive(PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(pattern = "^[0-9a-f]{32}$")]
pub(crate) struct Writer(String);

/// A mutation: its writer and its number, from 1 to 2^53 - 1.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{32}:[1-9][0-9]{0,14}$")]
pub(crate) struct MutationId(String);

/// A reading of a hybrid logical clock.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{12}-[0-9a-f]{4}-[0-9a-f]{32}$")]
pub(crate) struct Stamp(String);

/// A JSON Pointer to a field.
#[derive(ToSchema)]
pub(crate) struct Path(String);

/// Names a document.
#[derive(ToSchema)]
pub(crate) struct DocumentKey {
    collection: String,
    document: String,
}

/// Milliseconds since 1970.
#[derive(ToSchema)]
#[schema(format = "uint64", maximum = 18_446_744_073_709_551_615_u64)]
pub(crate) struct WallTime(u64);

/// Mutations for the server to judge. Members that are not named here are ignored.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Batch {
    /// 1 where it is not said.
    #[schema(required = false, default = 1, minimum = 1, maximum = 1)]
    protocol: u32,
    /// The installation that sends: 256 bytes at most, without control characters.
    #[schema(min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$")]
    client: String,
    /// Whose mutations these are: the token's user.
    #[schema(min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$")]
    user: String,
    /// The device's clock at sending.
    sent_at: WallTime,
    /// Per writer, ranges of n, from the first to the last, 1,000 of them at most, whose verdicts are stored on the device.
    #[schema(required = false)]
    settled: BTreeMap<Writer, Vec<Range>>,
    /// Sent mutations that the user has discarded.
    #[schema(required = false, max_items = 1_000)]
    void: Vec<MutationId>,
    /// How the device is, for whoever looks after it. Nothing is judged by it.
    #[schema(required = false)]
    device: Option<Condition>,
    /// Each is judged on its own: what is no mutation is one verdict.
    #[schema(max_items = 1_000)]
    mutations: Vec<Sent>,
}

/// How a device is when it sends a batch, beside what is in that batch.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Condition {
    /// The program that speaks, and its version.
    #[schema(required = false, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    sdk: Option<String>,
    /// Writes that wait for another batch.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    open: u64,
    /// When the oldest of these was made, by the device's clock.
    #[schema(required = false, maximum = 9_007_199_254_740_991_u64)]
    oldest_at: Option<u64>,
    /// Writes that need somebody's attention.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    attention: u64,
    /// What went wrong last, or what is waited for: a code.
    #[schema(required = false, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    reason: Option<String>,
}

/// The first and the last n.
pub(crate) struct Range;

impl PartialSchema for Range {
    fn schema() -> RefOr<Schema> {
        let n = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(N_MAX));
        ArrayBuilder::new().items(n).min_items(Some(2)).max_items(Some(2)).into()
    }
}

impl ToSchema for Range {}

// The derive takes nothing but literals.
const _: () = assert!(BATCH_MUTATIONS_MAX == 1_000 && NAME_BYTES_MAX == 256);
/// What survives a trip through JavaScript.
const N_MAX: u64 = (1 << 53) - 1;

/// A mutation as it is sent; anything else is refused with a verdict.
pub(crate) struct Sent;

impl PartialSchema for Sent {
    fn schema() -> RefOr<Schema> {
        let anything = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        AnyOfBuilder::new().item(Ref::from_schema_name("Mutation")).item(anything).into()
    }
}

impl ToSchema for Sent {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Mutation::name().into_owned(), Mutation::schema()));
        Mutation::schemas(schemas);
    }
}

/// One change of one document by one user.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Mutation {
    id: MutationId,
    /// The transaction it belongs to.
    group: Option<String>,
    /// The refused mutation that this one stands in for.
    replaces: Option<MutationId>,
    /// Unsettled creations that this one makes no sense without.
    #[schema(required = false)]
    needs: Vec<MutationId>,
    /// Server time at which it was first sent; null on the first sending.
    first_sent_at: Option<WallTime>,
    #[schema(min_length = 1, max_length = 256)]
    collection: String,
    #[schema(min_length = 1, max_length = 256)]
    document: String,
    op: Op,
    fields: Vec<Field>,
    /// The version of the document that the writer had seen.
    base: u64,
    /// The previous mutation of this installation on this document.
    after: Option<MutationId>,
    stamp: Stamp,
    /// The app's schema version it was written under.
    schema: u32,
}

/// What was done to a document.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Op {
    Create,
    Patch,
    Delete,
}

/// What happens to one field.
#[derive(ToSchema)]
pub(crate) struct Field {
    path: Path,
    op: FieldOp,
    /// Nothing with `unset`.
    #[schema(required = false)]
    value: Value,
}

/// How a field changes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum FieldOp {
    Set,
    Unset,
    Increment,
    Add,
    Remove,
    Max,
    Min,
}

/// One result per mutation, in the same order.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct BatchReply {
    server_time: WallTime,
    /// Identity of the server's history.
    epoch: String,
    /// The newest commit, in the form of a cursor.
    #[schema(nullable = false)]
    head: Option<String>,
    results: Vec<PushResult>,
}

/// The verdict on one mutation.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct PushResult {
    /// Null where it could not be read.
    #[schema(required)]
    id: Option<MutationId>,
    verdict: Verdict,
    /// Why, for `rejected` and `held`.
    #[schema(required)]
    code: Option<String>,
    /// The same for a person.
    #[schema(required)]
    message: Option<String>,
    /// The field at fault.
    #[schema(required)]
    field: Option<Path>,
    /// The mutation at fault, where it is another one.
    #[schema(required)]
    because: Option<MutationId>,
    /// The document's version afterwards.
    version: u64,
    /// The document's version before.
    previous: u64,
    /// The commit that holds the effect; 0 where there is none.
    position: u64,
    /// The stamp that the server used.
    #[schema(required)]
    stamp: Option<Stamp>,
    /// This is the verdict of an earlier sending.
    #[schema(required = false)]
    duplicate: bool,
    /// The stamp is another than the one sent.
    #[schema(required = false)]
    restamped: bool,
}

/// How the server judged a mutation.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Applied,
    Merged,
    Conflict,
    Rejected,
    Held,
}

/// What changed since a cursor.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct PullReply {
    server_time: WallTime,
    /// Identity of the server's history.
    epoch: String,
    /// Why the device has to start over, where it does.
    #[schema(required)]
    reset: Option<Reset>,
    /// The newest position that is known to be in a backup.
    backed_up_through: u64,
    /// Everything up to this position has been sent once `more` is false.
    position: u64,
    /// In order of position.
    changes: Vec<PullChange>,
    /// What to ask with next.
    cursor: String,
    /// Whether there is another page now.
    more: bool,
    /// About how many changes come behind this page.
    #[schema(required = false)]
    remaining: u64,
}

/// The device's copy is not one that this server can continue.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Reset {
    reason: Reason,
    /// What the device has up to here is still good.
    restored_through: u64,
}

/// Why a device starts over.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Reason {
    ResyncRequired,
    NewEpoch,
}

/// One change of one document.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct PullChange {
    kind: Kind,
    collection: String,
    document: String,
    version: u64,
    /// The commit that made it.
    position: u64,
    /// All fields; null unless `kind` is `document`.
    #[schema(required)]
    data: Option<BTreeMap<String, Value>>,
    /// Of every top-level member not listed in `stamps`; of the delete for a tombstone.
    #[schema(required = false)]
    stamp: Stamp,
    /// Stamps by path where they differ.
    #[schema(required = false)]
    stamps: BTreeMap<String, Value>,
}

/// What became of a document.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Kind {
    Document,
    Tombstone,
    Eviction,
}
