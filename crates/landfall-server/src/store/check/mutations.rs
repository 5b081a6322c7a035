//! Verdicts against what they were given for: what is in the history has one, and each can be read.

use landfall_core::authority::VERDICTS_KEPT;
use landfall_core::id::MutationId;
use landfall_core::mutation::Mutation;
use landfall_core::time::WallTime;
use landfall_core::wire::PushResult;

use super::super::database::{Transaction, sql};
use super::super::receipts::{RunRow, read_hash};
use super::super::{StoreError, count, is_itself, stored};
use super::{Report, of};

const TOGETHER: i64 = 200;

/// Collection, document, version, position, when, by which client, and what it said.
type Change = (String, String, i64, i64, i64, String, String);

/// Reads the history of a tenant, and all verdicts.
pub(super) async fn check(
    tx: &mut dyn Transaction,
    tenant: &str,
    now: WallTime,
    report: &mut Report,
) -> Result<(), StoreError> {
    history(tx, tenant, now, report).await?;
    receipts(tx, tenant, report).await
}

async fn history(
    tx: &mut dyn Transaction,
    tenant: &str,
    now: WallTime,
    report: &mut Report,
) -> Result<(), StoreError> {
    let kept_since = stored(now.0.saturating_sub(VERDICTS_KEPT.0));
    let mut behind = (String::new(), String::new(), 0);
    loop {
        let page = sql("SELECT collection, document, version, position, at, client, mutation FROM history \
             WHERE tenant = $1 AND (collection, document, version) > ($2, $3, $4) \
             ORDER BY collection, document, version LIMIT $5");
        let page = page.bind(tenant).bind(behind.0.as_str()).bind(behind.1.as_str()).bind(behind.2);
        let changes: Vec<Change> = tx.all(page.bind(TOGETHER)).await?;
        let Some(last) = changes.last() else { return Ok(()) };
        behind = (last.0.clone(), last.1.clone(), last.2);
        let mut asked = Vec::new();
        let mut ids = Vec::new();
        for change in &changes {
            report.mutations += 1;
            let (collection, document, version, position, at, client, text) = change;
            let Ok(mutation) = serde_json::from_str::<Mutation>(text) else {
                let place = format!("version {version} of {collection} {document}");
                report.add([of(tenant, &format!("the mutation that made {place} cannot be read"))]);
                continue;
            };
            if (mutation.collection.as_str(), mutation.document.as_str()) != (collection, document) {
                let place = format!("{collection} {document}");
                report
                    .add([of(tenant, &format!("the history of {place} has a mutation of another document"))]);
            }
            // Nobody asks for the verdict on what a person has settled, nor for one that is too old.
            if is_itself(client) || *at < kept_since {
                continue;
            }
            let receipt = sql("SELECT result FROM receipts WHERE tenant = $1 AND writer = $2 AND n = $3");
            let (writer, n) = (mutation.id.writer.to_string(), stored(mutation.id.n));
            asked.push(receipt.bind(tenant).bind(writer.as_str()).bind(n));
            ids.push((mutation.id, *version, *position));
        }
        let found: Vec<Option<String>> = tx.each(asked).await?;
        for ((id, version, position), receipt) in ids.into_iter().zip(found) {
            if let Some(fault) = verdict_fault(tx, tenant, id, (version, position), receipt).await? {
                report.add([of(tenant, &format!("mutation {id} {fault}"))]);
            }
        }
    }
}

/// What is wrong with the verdict on something that is in the history.
async fn verdict_fault(
    tx: &mut dyn Transaction,
    tenant: &str,
    id: MutationId,
    (version, position): (i64, i64),
    receipt: Option<String>,
) -> Result<Option<String>, StoreError> {
    if let Some(text) = receipt {
        // One that cannot be read is told with the others.
        let Ok(result) = serde_json::from_str::<PushResult>(&text) else { return Ok(None) };
        let is_same = (stored(result.version.0), stored(result.position.0)) == (version, position);
        let fault = format!("made version {version} at position {position}, and its receipt says otherwise");
        return Ok((!is_same).then_some(fault));
    }
    let run = sql("SELECT first, last, code FROM settled WHERE tenant = $1 AND writer = $2 AND first <= $3 \
         ORDER BY first DESC LIMIT 1");
    let run = run.bind(tenant).bind(id.writer.to_string()).bind(stored(id.n));
    let run: Option<RunRow> = tx.optional(run).await?;
    Ok(match run {
        Some((_, last, None)) if count(last) >= id.n => None,
        Some((_, last, Some(_))) if count(last) >= id.n => {
            Some("is in the history, and settled as refused".to_owned())
        }
        Some(_) | None => {
            Some("is in the history and has no receipt: sent again, it would count twice".to_owned())
        }
    })
}

async fn receipts(tx: &mut dyn Transaction, tenant: &str, report: &mut Report) -> Result<(), StoreError> {
    let counter = sql("SELECT position FROM tenants WHERE tenant = $1").bind(tenant);
    let counter: i64 = tx.one(counter).await?;
    let (mut writer, mut n) = (String::new(), 0);
    loop {
        let page = sql("SELECT writer, n, hash, result FROM receipts WHERE tenant = $1 \
             AND (writer, n) > ($2, $3) ORDER BY writer, n LIMIT $4");
        let page = page.bind(tenant).bind(writer.as_str()).bind(n).bind(TOGETHER);
        let rows: Vec<(String, i64, String, String)> = tx.all(page).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        (writer, n) = (last.0.clone(), last.1);
        for (writer, n, hash, result) in rows {
            report.receipts += 1;
            let fault = match serde_json::from_str::<PushResult>(&result) {
                Err(_) => "its verdict cannot be read".to_owned(),
                Ok(_) if read_hash(&hash).is_none() => "its hash cannot be read".to_owned(),
                Ok(result) if stored(result.position.0) > counter => {
                    format!("it is at position {}, and the counter at {counter}", result.position.0)
                }
                Ok(_) => continue,
            };
            report.add([of(tenant, &format!("receipt {writer}:{n}: {fault}"))]);
        }
    }
}
