//! What came before documents that are decided as wholes: as they were, and what each installation wrote.

use std::collections::BTreeSet;

use landfall_core::authority::{Facts, Past, Stored};
use landfall_core::id::{DocumentKey, Version};
use landfall_core::mutation::Mutation;
use landfall_core::time::Millis;

use super::database::{Statement, sql};
use super::push::{DocumentRow, corrupt, read_document};
use super::{Push, Sender, StoreError, count, stored};

/// How long a document is kept after another has taken its place: who has not pulled for longer than that starts
/// anew.
const HORIZON: Millis = Millis::seconds(90 * 24 * 60 * 60);

impl Push {
    /// Adds what came before documents of which mutations do not know how they are.
    pub(super) async fn load_pasts(
        &mut self,
        seen: &BTreeSet<(DocumentKey, Version)>,
        facts: &mut Facts,
    ) -> Result<(), StoreError> {
        for (key, version) in seen {
            let is_behind = facts.documents.get(key).is_some_and(|stored| *version < stored.version);
            if !is_behind || !self.wholes.contains(&key.collection) {
                continue;
            }
            let earlier = self.earlier(key, *version).await?;
            let since = match &earlier {
                Some(earlier) => earlier.version,
                None if *version == Version(0) => *version,
                // It is decided field by field, then.
                None => continue,
            };
            let past = facts.pasts.entry(key.clone()).or_default();
            past.seen.extend(earlier.map(|earlier| (*version, earlier)));
            self.load_own(key, since, past).await?;
        }
        Ok(())
    }

    /// The document that stood when its version was this one.
    async fn earlier(&mut self, key: &DocumentKey, version: Version) -> Result<Option<Stored>, StoreError> {
        let earlier =
            sql("SELECT version, position, data, stamp, stamps, versions, delete_stamp, delete_version, \
             NULL, NULL, NULL FROM earlier WHERE tenant = $1 AND collection = $2 AND document = $3 \
             AND version <= $4 AND successor > $4 ORDER BY version DESC LIMIT 1")
            .bind(self.sender.tenant.as_str())
            .bind(key.collection.as_str())
            .bind(key.document.as_str())
            .bind(stored(version.0));
        let row: Option<DocumentRow> = self.joined.tx.optional(earlier).await?;
        let unreadable =
            |reason| corrupt(format!("{}/{} before {version:?}", key.collection, key.document), reason);
        row.map(|row| read_document(row).map_err(unreadable)).transpose()
    }

    /// What the client that sends has written since a version.
    async fn load_own(
        &mut self,
        key: &DocumentKey,
        since: Version,
        past: &mut Past,
    ) -> Result<(), StoreError> {
        let own = sql(
            "SELECT version, mutation, stamp FROM history WHERE tenant = $1 AND collection = $2 AND document = $3 \
             AND version > $4 AND client = $5",
        )
        .bind(self.sender.tenant.as_str())
        .bind(key.collection.as_str())
        .bind(key.document.as_str())
        .bind(stored(since.0))
        .bind(self.sender.client.as_str());
        let rows: Vec<(i64, String, Option<String>)> = self.joined.tx.all(own).await?;
        for (version, text, given) in rows {
            let mutation: Mutation = serde_json::from_str(&text).map_err(|error| {
                corrupt(format!("history of {}/{}", key.collection, key.document), error.to_string())
            })?;
            // Before version 4 of the tables it was not written down; most are what they were sent with.
            let stamp = given.and_then(|given| given.parse().ok()).unwrap_or(mutation.stamp);
            past.own.insert(Version(count(version)), (mutation, stamp));
        }
        Ok(())
    }
}

impl Sender {
    /// Keeps a document as it is, before this commit makes `successor` of it.
    pub(super) fn keep_earlier(&self, key: &DocumentKey, successor: Version) -> [Statement; 2] {
        let forget =
            sql("DELETE FROM earlier WHERE tenant = $1 AND collection = $2 AND document = $3 AND at < $4")
                .bind(self.tenant.as_str())
                .bind(key.collection.as_str())
                .bind(key.document.as_str())
                .bind(stored(self.now.0.saturating_sub(HORIZON.0)));
        let keep = sql(
            "INSERT INTO earlier (tenant, collection, document, version, successor, at, position, data, stamp, \
             stamps, versions, delete_stamp, delete_version) SELECT tenant, collection, document, version, $4, \
             $5, position, data, stamp, stamps, versions, delete_stamp, delete_version FROM documents \
             WHERE tenant = $1 AND collection = $2 AND document = $3",
        )
        .bind(self.tenant.as_str())
        .bind(key.collection.as_str())
        .bind(key.document.as_str())
        .bind(stored(successor.0))
        .bind(stored(self.now.0));
        [forget, keep]
    }
}
