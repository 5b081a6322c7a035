//! Pushes: read, decide, write, in one transaction.

use axum::Json as Reply;
use axum::extract::State;
use futures_util::FutureExt;
use landfall_core::authority::{self, Decision, Parsed, RECEIPTS_MAX};
use landfall_core::code::Code;
use landfall_core::id::{MutationId, NAME_BYTES_MAX, Position};
use landfall_core::time::WallTime;
use landfall_core::wire::{self, Batch, BatchReply, Condition, PROTOCOL, SETTLED_MAX};
use serde::Deserialize;
use tracing::Instrument;

use crate::app::App;
use crate::caller::Caller;
use crate::cursor::Cursor;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::load::Kind;
use crate::openapi::{BODY, SIGNED, STORE, refusals, shapes};
use crate::payload::Payload;
use crate::rules::CallerRules;
use crate::store::{Named, Push, Said, Sender};

refusals!(Refusals: SIGNED, BODY, STORE, &[
    Code::UserMismatch,
    Code::WriterMismatch,
    Code::UnsupportedProtocol,
    Code::BatchTooLarge,
    Code::RateLimited,
    Code::SettleFirst,
]);

/// Judges a batch of mutations and applies each at most once.
///
/// Once the reply is on its way its verdicts are durable. Where the reply is lost, sending the same
/// batch again gives the same verdicts and changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/sync/batch",
    operation_id = "push",
    security(("token" = [])),
    request_body = shapes::Batch,
    responses((status = 200, description = "One result per mutation.", body = shapes::BatchReply), Refusals),
)]
pub(super) async fn batch(
    State(app): State<App>,
    caller: Caller,
    payload: Payload,
) -> Result<Reply<BatchReply>, ApiError> {
    // Others' writes may be in its transaction, so it comes to its end even if whoever sent it has gone.
    match tokio::spawn(push(app, caller, payload).in_current_span()).await {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

async fn push(app: App, caller: Caller, payload: Payload) -> Result<Reply<BatchReply>, ApiError> {
    let room = app.load.enter(Kind::Push, &app.metrics)?;
    let batch = read(&payload, &app.limits)?;
    if batch.user != caller.user {
        let message = "these are the writes of another user than the token's";
        return Err(ApiError::new(Code::UserMismatch, message));
    }
    app.throttle.admit(&caller, &batch.client, batch.mutations.len() + batch.void.len())?;
    let mutations: Vec<Parsed> = batch.mutations.iter().map(authority::parse).collect();
    let named = named(&batch, &mutations, &app.rules.of(&caller));
    let now = (app.clock)();
    let (tenant, client) = (caller.tenant.clone(), batch.client.clone());
    let said = Some(Said { protocol: batch.protocol, device: batch.device.clone() });
    let sender = Sender { tenant, user: caller.user.clone(), client, now, said };
    let judged =
        app.store.push(&sender, |push| judge(push, &app, &caller, &batch, &mutations, &named, now).boxed());
    let reply = judged.await?;
    drop(room);
    app.metrics.judged(&reply.results);
    Ok(Reply(reply))
}

/// What becomes of a batch in one push.
async fn judge(
    mut push: Push,
    app: &App,
    caller: &Caller,
    batch: &Batch,
    mutations: &[Parsed],
    named: &Named,
    now: WallTime,
) -> Result<BatchReply, ApiError> {
    let epoch = push.epoch();
    let facts = push.load(named).await?;
    if facts.must_settle(&named.sent) {
        // What is settled by now counts next time.
        push.commit(&Decision::default(), &[]).await?;
        let message = "say first which verdicts are stored on the device, so that they can be forgotten here";
        return Err(ApiError::throttled(Code::SettleFirst, message).limited(RECEIPTS_MAX));
    }
    let known = facts.receipts.clone();
    let mut decision = authority::decide(mutations, facts, &app.rules.of(caller), now);
    authority::close(&batch.void, &known, &mut decision);
    let (position, nonce) = push.commit(&decision, &batch.mutations).await?;
    let head = Cursor { epoch, position, nonce, ordinal: Cursor::END, floor: Position(0), sight: None };
    let head = Some(head.seal(app.store.cursor_key(), &caller.tenant));
    Ok(BatchReply { server_time: now, epoch: epoch.to_string(), head, results: decision.results })
}

fn read(payload: &Payload, limits: &Limits) -> Result<Batch, ApiError> {
    /// All that a batch of every protocol version has.
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(default = "wire::first_version")]
        protocol: u32,
    }
    let Versioned { protocol } = payload.parse()?;
    if protocol != PROTOCOL {
        let message = format!("this server speaks protocol {PROTOCOL} and not {protocol}");
        return Err(ApiError::new(Code::UnsupportedProtocol, message));
    }
    let batch: Batch = payload.parse()?;
    let limit = limits.batch_mutations;
    if batch.mutations.len() > limit || batch.void.len() > limit {
        let message = format!("more than {limit} mutations; send fewer at a time");
        return Err(ApiError::new(Code::BatchTooLarge, message).limited(limit));
    }
    if !batch.device.as_ref().is_none_or(is_bounded) {
        let message = format!("what a device says of itself is at most {NAME_BYTES_MAX} bytes a word");
        return Err(ApiError::new(Code::InvalidRequest, message));
    }
    let ranges = || batch.settled.values().flatten();
    if !ranges().all(|(first, last)| (1..=*last).contains(first) && *last < 1 << 53) {
        let message = "a range of settled mutations goes from the first to the last, and both are there";
        return Err(ApiError::new(Code::InvalidRequest, message));
    }
    if ranges().count() > SETTLED_MAX {
        let message = format!("more than {SETTLED_MAX} ranges of settled mutations; send fewer at a time");
        return Err(ApiError::new(Code::BatchTooLarge, message).limited(SETTLED_MAX));
    }
    Ok(batch)
}

/// It is kept, and shown to people.
fn is_bounded(device: &Condition) -> bool {
    let is_word = |text: &String| text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    let is_stored = |number: u64| number < 1 << 53;
    device.sdk.iter().chain(&device.reason).all(is_word)
        && [device.open, device.attention, device.oldest_at.unwrap_or_default().0].into_iter().all(is_stored)
}

/// What of the database the decision will need. What cannot be read names nothing; its verdict needs
/// no facts.
fn named(batch: &Batch, mutations: &[Parsed], rules: &CallerRules<'_>) -> Named {
    let mut named = Named::default();
    for mutation in mutations.iter().flatten() {
        named.receipts.extend([mutation.id].into_iter().chain(mutation.after).chain(mutation.needs.clone()));
        named.documents.insert(mutation.key());
        named.documents.extend(rules.references(mutation));
        named.sent.insert(mutation.id);
        named.seen.insert((mutation.key(), mutation.base));
    }
    named.receipts.extend(&batch.void);
    // Whatever is asked about has to be the sender's own: what became of it is nobody else's business.
    named.writers.extend(named.receipts.iter().map(|id: &MutationId| id.writer));
    named.writers.extend(batch.settled.keys());
    named.settled = batch.settled.clone();
    concerning(named, rules)
}

/// What the rules of the collections that are named want to be known and kept besides.
pub(super) fn concerning(named: Named, rules: &CallerRules<'_>) -> Named {
    let all = || named.documents.iter().map(|key| key.collection.clone());
    let guarded = all().filter(|name| rules.reads_depend_on_documents(name)).collect();
    let wholes = all().filter(|name| rules.decides_wholes(name)).collect();
    Named { guarded, wholes, ..named }
}
