//! Documents against what their history says of them.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::Stored;
use landfall_core::document::Register;
use landfall_core::json::Json;

use super::super::database::{Statement, Transaction, sql};
use super::super::push::{DocumentRow, read_document};
use super::super::{StoreError, stored};
use super::{Report, of};

/// Documents that are in memory at once, each with what its history says of versions.
const TOGETHER: i64 = 100;

type Names = (String, String, i64);

/// Reads every document of a tenant.
pub(super) async fn check(
    tx: &mut dyn Transaction,
    tenant: &str,
    report: &mut Report,
) -> Result<(), StoreError> {
    let expired = sql("SELECT collection, position FROM expired WHERE tenant = $1").bind(tenant);
    let expired: BTreeMap<String, i64> = tx.all(expired).await?.into_iter().collect();
    let (mut collection, mut document) = (String::new(), String::new());
    loop {
        let page = sql("SELECT collection, document, hidden FROM documents WHERE tenant = $1 \
             AND (collection, document) > ($2, $3) ORDER BY collection, document LIMIT $4");
        let page = page.bind(tenant).bind(collection.as_str()).bind(document.as_str()).bind(TOGETHER);
        let names: Vec<Names> = tx.all(page).await?;
        let Some((last, id, _)) = names.last() else { return Ok(()) };
        (collection, document) = (last.clone(), id.clone());
        let ask = |sql: Statement, (collection, document, _): &Names| {
            sql.bind(tenant).bind(collection.as_str()).bind(document.as_str())
        };
        let whole = "SELECT version, position, data, stamp, stamps, versions, delete_stamp, delete_version, \
             whole_stamp, whole_version, erased FROM documents WHERE tenant = $1 AND collection = $2 AND document = $3";
        let rows: Vec<Option<DocumentRow>> =
            tx.each(names.iter().map(|names| ask(sql(whole), names)).collect()).await?;
        for (names, row) in names.iter().zip(rows) {
            let history = sql("SELECT version, position, stamp FROM history \
                 WHERE tenant = $1 AND collection = $2 AND document = $3");
            let history: Vec<(i64, i64, Option<String>)> = tx.all(ask(history, names)).await?;
            let Some(row) = row else { continue };
            report.documents += 1;
            let faults = faults(names.2 != 0, row, history, expired.get(&names.0).copied());
            let (collection, document, _) = names;
            report.add(
                faults
                    .into_iter()
                    .map(|fault| of(tenant, &format!("document {collection} {document}: {fault}"))),
            );
        }
    }
}

/// What is wrong with a document. Some of its history up to the commit `expired` may be forgotten.
fn faults(
    is_hidden: bool,
    row: DocumentRow,
    history: Vec<(i64, i64, Option<String>)>,
    expired: Option<i64>,
) -> Vec<String> {
    let is_object = Json::parse(&row.2).is_ok_and(|data| data.is_object());
    if !is_object {
        return vec!["its text is no JSON object".to_owned()];
    }
    let document: Stored = match read_document(row) {
        Ok(document) => document,
        Err(reason) => return vec![format!("it cannot be read: {reason}")],
    };
    let mut faults = Vec::new();
    if document.document.is_deleted() != is_hidden {
        faults.push("whether it is hidden is not what its stamps say".to_owned());
    }
    let positions: BTreeMap<i64, i64> =
        history.iter().map(|(version, position, _)| (*version, *position)).collect();
    let (version, position) = (stored(document.version.0), stored(document.position.0));
    let oldest = positions.first_key_value().map_or(i64::MAX, |(version, _)| *version);
    match positions.get(&version) {
        None if expired.is_some_and(|expired| position <= expired) => {}
        None => faults.push(format!("its history does not have version {version}")),
        Some(other) if *other != position => {
            faults.push(format!(
                "version {version} is at position {other} in its history, and here at {position}"
            ));
        }
        Some(_) => {}
    }
    if let Some((newest, _)) = positions.last_key_value()
        && *newest > version
    {
        faults.push(format!("its history goes on to version {newest}, and it is at {version}"));
    }
    // What was written before version 4 of the tables does not say which stamp it was given.
    let is_whole = expired.is_none() || oldest == 1;
    let is_told = is_whole && history.iter().all(|(_, _, stamp)| stamp.is_some());
    let given: BTreeSet<&str> = history.iter().filter_map(|(_, _, stamp)| stamp.as_deref()).collect();
    let mut look = |register: Register| {
        let stamp = register.stamp.to_string();
        if register == Register::NONE || register.version.0 == 0 {
            return;
        }
        if expired.is_some() && stored(register.version.0) < oldest {
            return;
        }
        if !positions.contains_key(&stored(register.version.0)) {
            faults.push(format!(
                "a field is of version {}, which its history does not have",
                register.version.0
            ));
        } else if is_told && !given.contains(stamp.as_str()) {
            faults.push(format!("the stamp {stamp} is of no change in its history"));
        }
    };
    document.document.each_register(&mut |register, _| look(register));
    document.document.deleted().into_iter().chain(document.whole).for_each(look);
    faults.dedup();
    faults
}
