//! Whether a database holds together: what is in one table against what is in the others.
//!
//! All of it is seen as at one moment, so servers may go on working with it. Nothing is changed.

mod documents;
mod mutations;

use landfall_core::time::WallTime;

use super::database::{Transaction, sql};
use super::{Store, StoreError};

/// Findings of one kind that are told one by one.
const TOLD: usize = 20;

/// What was looked at, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Report {
    /// Documents that were read.
    pub documents: u64,
    /// Mutations of their history that were read.
    pub mutations: u64,
    /// Verdicts that were read.
    pub receipts: u64,
    /// Each a sentence that names the row.
    pub findings: Vec<String>,
}

impl Report {
    /// Adds findings of one kind, the first of them in full.
    fn add(&mut self, found: impl IntoIterator<Item = String>) {
        let mut found = found.into_iter();
        self.findings.extend(found.by_ref().take(TOLD));
        let more = found.count();
        if more > 0 {
            self.findings.push(format!("{more} more of these"));
        }
    }
}

/// Rows that are there without what they name.
///
/// Each gives a tenant and the names of the row.
const ORPHANS: [(&str, &str); 12] = [
    (
        "document {} was changed by a commit that is not there",
        "SELECT d.tenant, d.collection, d.document FROM documents d LEFT JOIN commits c \
         ON c.tenant = d.tenant AND c.position = d.position WHERE c.position IS NULL",
    ),
    (
        "the history of {} names a commit that is not there",
        "SELECT h.tenant, h.collection, h.document FROM history h LEFT JOIN commits c \
         ON c.tenant = h.tenant AND c.position = h.position WHERE c.position IS NULL",
    ),
    (
        "a conflict about {} names a commit that is not there",
        "SELECT f.tenant, f.collection, f.document FROM conflicts f LEFT JOIN commits c \
         ON c.tenant = f.tenant AND c.position = f.position WHERE c.position IS NULL",
    ),
    (
        "there is a history of {} and no document",
        "SELECT h.tenant, h.collection, h.document FROM history h LEFT JOIN documents d ON d.tenant = h.tenant \
         AND d.collection = h.collection AND d.document = h.document WHERE d.document IS NULL",
    ),
    (
        "there is a conflict about {} and no document",
        "SELECT f.tenant, f.collection, f.document FROM conflicts f LEFT JOIN documents d ON d.tenant = f.tenant \
         AND d.collection = f.collection AND d.document = f.document WHERE d.document IS NULL",
    ),
    (
        "there is an earlier state of {} and no document",
        "SELECT e.tenant, e.collection, e.document FROM earlier e LEFT JOIN documents d ON d.tenant = e.tenant \
         AND d.collection = e.collection AND d.document = e.document WHERE d.document IS NULL",
    ),
    (
        "{} was settled, and there is no such conflict",
        "SELECT a.tenant, 'conflict', a.choice FROM audit a LEFT JOIN conflicts f ON f.tenant = a.tenant \
         AND f.position = a.position AND f.ordinal = a.ordinal WHERE f.position IS NULL",
    ),
    (
        "a change of {} is by a client that is not there",
        "SELECT h.tenant, h.collection, h.document FROM history h LEFT JOIN clients c ON c.client = h.client \
         WHERE c.client IS NULL",
    ),
    (
        "the owner of {} is a client that is not there",
        "SELECT w.tenant, 'writer', w.writer FROM writers w LEFT JOIN clients c ON c.client = w.client \
         WHERE c.client IS NULL",
    ),
    (
        "there are verdicts for {}, which is nobody's",
        "SELECT DISTINCT r.tenant, 'writer', r.writer FROM receipts r LEFT JOIN writers w ON w.writer = r.writer \
         WHERE w.writer IS NULL",
    ),
    (
        "there are settled verdicts for {}, which is nobody's",
        "SELECT DISTINCT s.tenant, 'writer', s.writer FROM settled s LEFT JOIN writers w ON w.writer = s.writer \
         WHERE w.writer IS NULL",
    ),
    (
        "the counter of {} is not there",
        "SELECT DISTINCT c.tenant, 'tenant', c.tenant FROM commits c LEFT JOIN tenants t ON t.tenant = c.tenant \
         WHERE t.tenant IS NULL",
    ),
];

/// Tables with positions, and the newest of each tenant.
const POSITIONS: [(&str, &str); 6] = [
    ("a document", "SELECT tenant, MAX(position) FROM documents GROUP BY tenant"),
    ("a commit", "SELECT tenant, MAX(position) FROM commits GROUP BY tenant"),
    ("a change of the history", "SELECT tenant, MAX(position) FROM history GROUP BY tenant"),
    ("a conflict", "SELECT tenant, MAX(position) FROM conflicts GROUP BY tenant"),
    ("what is forgotten of the history", "SELECT tenant, MAX(position) FROM expired GROUP BY tenant"),
    ("what is said to be in a backup", "SELECT tenant, MAX(position) FROM backups GROUP BY tenant"),
];

impl Store {
    /// Looks for whatever does not hold together.
    ///
    /// # Errors
    /// The database does not work.
    pub async fn check(&self, now: WallTime) -> Result<Report, StoreError> {
        let mut report = Report::default();
        report.add(self.database.inspect().await?);
        if !report.findings.is_empty() {
            report
                .findings
                .push("nothing else was looked at: what is read from such a file means little".into());
            return Ok(report);
        }
        let mut tx = self.database.read().await?;
        counters(&mut *tx, &mut report).await?;
        entries(&mut *tx, &mut report).await?;
        for (sentence, query) in ORPHANS {
            let rows: Vec<(String, String, String)> = tx.all(sql(query)).await?;
            let name = |(tenant, collection, document): (String, String, String)| {
                of(&tenant, &sentence.replace("{}", &format!("{collection} {document}")))
            };
            report.add(rows.into_iter().map(name));
        }
        let tenants: Vec<String> = tx.all(sql("SELECT tenant FROM tenants ORDER BY tenant")).await?;
        for tenant in &tenants {
            documents::check(&mut *tx, tenant, &mut report).await?;
            mutations::check(&mut *tx, tenant, now, &mut report).await?;
        }
        Ok(report)
    }
}

/// The audit log has as many entries as were counted.
async fn entries(tx: &mut dyn Transaction, report: &mut Report) -> Result<(), StoreError> {
    let counted =
        sql("SELECT t.tenant, t.entries, (SELECT COUNT(*) FROM audit a WHERE a.tenant = t.tenant) \
         + (SELECT COUNT(*) FROM erasures e WHERE e.tenant = t.tenant) FROM tenants t ORDER BY t.tenant");
    let counted: Vec<(String, i64, i64)> = tx.all(counted).await?;
    let wrong = counted.into_iter().filter(|(_, counted, found)| counted != found);
    report.add(wrong.map(|(tenant, counted, found)| {
        of(&tenant, &format!("the audit log has {found} entries, and {counted} were counted"))
    }));
    Ok(())
}

/// No position is above its tenant's counter, and the counter is that of the newest commit.
async fn counters(tx: &mut dyn Transaction, report: &mut Report) -> Result<(), StoreError> {
    let counters: Vec<(String, i64)> = tx.all(sql("SELECT tenant, position FROM tenants")).await?;
    let counter =
        |tenant: &str| counters.iter().find(|(name, _)| name == tenant).map_or(0, |(_, position)| *position);
    for (what, query) in POSITIONS {
        let newest: Vec<(String, i64)> = tx.all(sql(query)).await?;
        report.add(newest.iter().filter(|(tenant, newest)| *newest > counter(tenant)).map(
            |(tenant, newest)| {
                let counter = counter(tenant);
                of(tenant, &format!("{what} is at position {newest}, and the counter at {counter}"))
            },
        ));
    }
    let commits: Vec<(String, i64)> =
        tx.all(sql("SELECT tenant, COUNT(*) FROM commits GROUP BY tenant")).await?;
    for (tenant, counter) in counters {
        let found = commits.iter().find(|(name, _)| *name == tenant).map_or(0, |(_, found)| *found);
        if found < counter {
            let missing = counter - found;
            report.add([of(&tenant, &format!("{missing} of {counter} commits are not there"))]);
        }
    }
    Ok(())
}

fn of(tenant: &str, sentence: &str) -> String {
    format!("tenant {tenant}: {sentence}")
}
