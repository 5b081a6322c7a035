//! The audit log, for those whom the configuration names.

use axum::Json as Reply;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use landfall_core::code::Code;
use landfall_core::time::WallTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::numbered::Ask;
use crate::app::App;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::load::Kind;
use crate::openapi::{SIGNED, STORE, refusals, shapes};
use crate::store::Audited;

/// A page of the log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditReply)]
pub(super) struct Log {
    #[schema(value_type = shapes::WallTime)]
    server_time: WallTime,
    entries: Vec<Audited>,
    /// Behind this page; null where nothing is.
    #[schema(required)]
    cursor: Option<String>,
    more: bool,
}

refusals!(Refusals: SIGNED, STORE, &[Code::InvalidRequest, Code::InvalidCursor, Code::Forbidden]);

/// One page of the audit log of the caller's tenant, newest first, and where the next one begins.
///
/// For whom `auditors` of the configuration says, whatever documents they may read; so it says which document
/// something was done to, and never what is in it.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "audit",
    security(("token" = [])),
    params(Ask),
    responses((status = 200, description = "A page.", body = Log), Refusals),
)]
pub(super) async fn audit(
    State(app): State<App>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Reply<Log>, ApiError> {
    let (before, limit) = Ask::page(ask, &app.limits)?;
    if !app.staff.audits(&caller) {
        return Err(ApiError::new(Code::Forbidden, "you may not read the audit log"));
    }
    let _room = app.load.enter(Kind::Read, &app.metrics)?;
    let found = app.store.snapshot(&caller.tenant).await?.audit(before, limit).await?;
    Ok(Reply(Log {
        server_time: (app.clock)(),
        entries: found.entries,
        cursor: found.rest.map(|entry| entry.to_string()),
        more: found.rest.is_some(),
    }))
}
