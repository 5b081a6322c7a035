//! What a person decides about a conflict: kept as it stands, or written over by what they choose.

use std::collections::BTreeSet;

use axum::Json as Reply;
use axum::extract::State;
use futures_util::FutureExt;
use landfall_core::authority::{self, Back, Decision};
use landfall_core::code::Code;
use landfall_core::document::Document;
use landfall_core::id::{InvalidName, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::Refusal;
use landfall_core::path::Path;
use landfall_core::time::WallTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::batch::concerning;
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::load::Kind;
use crate::openapi::{BODY, SIGNED, STORE, refusals, shapes};
use crate::payload::Payload;
use crate::rules::CallerRules;
use crate::store::{Choice, ConflictId, Effect, Named, Push, Recorded, Sender};

/// What was decided about which conflict.
#[derive(Deserialize, ToSchema)]
#[schema(as = Decision)]
struct Ask {
    id: String,
    choice: Name,
    /// With the choice `value`, and with no other.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = serde_json::Value, required = false)]
    value: Option<Json>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Choice)]
enum Name {
    Won,
    Lost,
    Value,
}

/// The conflict as it is now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settled {
    #[schema(value_type = shapes::WallTime)]
    server_time: WallTime,
    conflict: Recorded,
}

refusals!(Refusals: SIGNED, BODY, STORE, &[
    Code::NotFound,
    Code::Forbidden,
    Code::WriterMismatch,
    Code::ConflictResolved,
    Code::InvalidMutation,
    Code::InvalidPath,
    Code::InvalidOperation,
    Code::ReservedField,
    Code::UnknownCollection,
    Code::Gone,
    Code::ValidationFailed,
    Code::DocumentTooLarge,
    Code::TooManyKeys,
]);

/// Settles a conflict, once and for all devices.
///
/// Asking for the same once more gives the same answer and changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/sync/resolve",
    operation_id = "resolve",
    security(("token" = [])),
    request_body = Ask,
    responses((status = 200, description = "The conflict as it is now.", body = Settled), Refusals),
)]
pub(super) async fn resolve(
    State(app): State<App>,
    caller: Caller,
    payload: Payload,
) -> Result<Reply<Settled>, ApiError> {
    let _room = app.load.enter(Kind::Push, &app.metrics)?;
    let ask: Ask = payload.parse()?;
    let choice = choice(ask.choice, ask.value)?;
    let id = ask.id.parse().map_err(|InvalidName(_)| nothing())?;
    let now = (app.clock)();
    let (writer, sender) = Sender::itself(caller.tenant.clone(), caller.user.clone(), now);
    let rules = app.rules.of_settler(&caller);
    let settled = app.store.push(&sender, |push| settle(push, &rules, id, &choice, writer, now).boxed());
    Ok(Reply(Settled { server_time: now, conflict: settled.await? }))
}

/// Settles a conflict in one push.
async fn settle(
    mut push: Push,
    rules: &CallerRules<'_>,
    id: ConflictId,
    choice: &Choice,
    writer: Writer,
    now: WallTime,
) -> Result<Recorded, ApiError> {
    let conflict = push.conflict(id).await?;
    let is_visible = |conflict: &Recorded| rules.may_read(&conflict.key().collection, conflict.data());
    let conflict = conflict.filter(is_visible).ok_or_else(nothing)?;
    if let Some(resolved) = conflict.resolved() {
        return if resolved.is(choice) {
            Ok(conflict)
        } else {
            let message = format!("{} has settled this in another way already", resolved.by());
            Err(Refusal::new(Code::ConflictResolved, message).into())
        };
    }
    let (key, path) = (conflict.key().clone(), conflict.path().clone());
    let Some(back) = back(&conflict, choice)? else {
        if !rules.may_settle(&key.collection, conflict.data()) {
            let message = format!("you may not settle conflicts in {}", key.collection);
            return Err(ApiError::new(Code::Forbidden, message));
        }
        let conflict = push.settle(conflict, choice, &Effect::default()).await?;
        push.commit(&Decision::default(), &[]).await?;
        return Ok(conflict);
    };
    let mut named = Named { documents: BTreeSet::from([key.clone()]), ..Named::default() };
    named.writers.insert(writer);
    let facts = push.load(&concerning(named, rules)).await?;
    let before = facts.documents.get(&key).and_then(|stored| visible(&stored.document, &path));
    let (mutation, decision) = authority::settle(&key, back, writer, facts, rules, now)?;
    let after = decision.documents.get(&key);
    let effect = Effect {
        before,
        after: after.and_then(|stored| visible(&stored.document, &path)),
        version: after.map(|stored| stored.version.0),
    };
    let conflict = push.settle(conflict, choice, &effect).await?;
    let text = serde_json::to_string(&mutation).expect("BUG: a mutation is always JSON");
    let text = Json::parse(&text).expect("BUG: a mutation is always JSON");
    push.commit(&decision, &[text]).await?;
    Ok(conflict)
}

fn nothing() -> ApiError {
    ApiError::new(Code::NotFound, "there is no such conflict")
}

/// Keeps `null` apart from nothing.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

fn choice(name: Name, value: Option<Json>) -> Result<Choice, ApiError> {
    let invalid = |message: &str| Err(ApiError::new(Code::InvalidRequest, message));
    match (name, value) {
        (Name::Won, None) => Ok(Choice::Won),
        (Name::Lost, None) => Ok(Choice::Lost),
        (Name::Value, Some(value)) => Ok(Choice::Value(value)),
        (Name::Value, None) => invalid("`value` is missing; to remove the field choose the side that did"),
        (Name::Won | Name::Lost, Some(_)) => invalid("`value` goes with the choice `value` only"),
    }
}

/// What has to be written; nothing where what stands stays.
fn back(conflict: &Recorded, choice: &Choice) -> Result<Option<Back>, ApiError> {
    let path = conflict.path().clone();
    let lost = conflict.lost();
    Ok(Some(match choice {
        Choice::Won => return Ok(None),
        Choice::Value(value) if conflict.is_of_wholes() && value.is_object() => Back::Whole(value.clone()),
        Choice::Value(_) if path.keys().is_empty() => {
            let message = "this is about the whole document: choose one of the two";
            return Err(ApiError::new(Code::InvalidRequest, message));
        }
        Choice::Value(value) => Back::Value(path, value.clone()),
        Choice::Lost if lost.deleted() => Back::Deletion,
        Choice::Lost if path.keys().is_empty() => match lost.value() {
            Some(value) if conflict.is_of_wholes() => Back::Whole(value.clone()),
            Some(_) | None => Back::Document,
        },
        Choice::Lost => match lost.value() {
            Some(value) => Back::Value(path, value.clone()),
            None => Back::Absence(path),
        },
    }))
}

/// What is seen at a path.
fn visible(document: &Document, path: &Path) -> Option<Json> {
    let value = document.value()?;
    if path.keys().is_empty() { Some(value) } else { document.walk(path, |_| {})?.value() }
}
