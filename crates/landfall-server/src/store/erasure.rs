//! What was a person's or in a document, made unreadable for good, in one transaction beside working servers.
//!
//! What a person wrote is the tenant's and stays; their name does not. Of a document nothing stays but that it was there
//! and was erased: its id is never anybody's again.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use landfall_core::authority::{Decision, Stored};
use landfall_core::clock::Stamp;
use landfall_core::document::{Document, Register};
use landfall_core::id::{DocumentKey, MutationId, Position, User, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Mutation, Op};
use landfall_core::time::WallTime;
use landfall_core::wire::{PushResult, Verdict};

use super::audit::number;
use super::database::{Statement, sql};
use super::push::json;
use super::{Push, Sender, Store, StoreError, count, stored};
use crate::caller::Tenant;
use crate::random;

/// Who and what is to be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// The person.
    pub user: Option<User>,
    /// Documents, all of each.
    pub documents: BTreeSet<DocumentKey>,
}

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// What the person is called from now on.
    pub pseudonym: Option<String>,
    /// Documents that were there until now.
    pub documents: usize,
    /// What there has never been, as sentences. Nothing was erased where there are any.
    pub unknown: Vec<String>,
}

/// Where people are named, beside the log of erasures.
const NAMED: [&str; 6] = [
    "UPDATE history SET sub = $3 WHERE tenant = $1 AND sub = $2",
    "UPDATE conflicts SET sub = $3 WHERE tenant = $1 AND sub = $2",
    "UPDATE conflicts SET met_sub = $3 WHERE tenant = $1 AND met_sub = $2",
    "UPDATE audit SET sub = $3 WHERE tenant = $1 AND sub = $2",
    "UPDATE clients SET sub = $3 WHERE tenant = $1 AND sub = $2",
    "UPDATE writers SET sub = $3 WHERE tenant = $1 AND sub = $2",
];

/// What is in a document, beside the document itself. Conflicts and how they were settled stay without what was written
/// and where.
const CONTENTS: [&str; 4] = [
    "UPDATE audit SET value = NULL, before = NULL, after = NULL WHERE tenant = $1 AND EXISTS \
     (SELECT 1 FROM conflicts c WHERE c.tenant = audit.tenant AND c.position = audit.position \
     AND c.ordinal = audit.ordinal AND c.collection = $2 AND c.document = $3)",
    "UPDATE conflicts SET path = '', value = NULL, met_value = NULL \
     WHERE tenant = $1 AND collection = $2 AND document = $3",
    "DELETE FROM history WHERE tenant = $1 AND collection = $2 AND document = $3",
    "DELETE FROM earlier WHERE tenant = $1 AND collection = $2 AND document = $3",
];

impl Store {
    /// Erases what was a person's or in documents of a tenant; `by` is who the log names for it.
    ///
    /// # Errors
    /// The database does not work; nothing was erased, as far as can be known.
    pub async fn erase(
        &self,
        tenant: &Tenant,
        by: &User,
        erasure: &Erasure,
        now: WallTime,
    ) -> Result<Erased, StoreError> {
        let (writer, sender) = Sender::itself(tenant.clone(), by.clone(), now);
        self.push(&sender, |push| push.erase(erasure, writer).boxed()).await
    }
}

impl Push {
    /// Erases, as all that this push does. `writer` is one that nobody has used.
    ///
    /// # Errors
    /// The database does not work; nothing was erased, as far as can be known.
    async fn erase(mut self, erasure: &Erasure, writer: Writer) -> Result<Erased, StoreError> {
        let mut erased = Erased::default();
        let keys: Vec<&DocumentKey> = erasure.documents.iter().collect();
        let found = keys.iter().map(|key| {
            let version = sql("SELECT version, erased FROM documents WHERE tenant = $1 AND collection = $2 \
                 AND document = $3");
            self.sender.about(version, key)
        });
        let found: Vec<Option<(i64, Option<i64>)>> = self.joined.tx.each(found.collect()).await?;
        let missing = keys.iter().zip(&found).filter(|(_, row)| row.is_none());
        let missing =
            missing.map(|(key, _)| format!("there is no document {}/{}", key.collection, key.document));
        erased.unknown = missing.collect();
        if let Some(user) = &erasure.user
            && !self.has_written(user).await?
        {
            erased
                .unknown
                .push(format!("nobody called {user} has written anything in {}", self.sender.tenant));
        }
        if !erased.unknown.is_empty() {
            return Ok(erased);
        }
        if let Some(user) = &erasure.user {
            erased.pseudonym = Some(self.rename(user).await?);
        }
        let left = keys.into_iter().zip(found.into_iter().flatten()).filter(|(_, (_, gone))| gone.is_none());
        let left: Vec<_> = left.map(|(key, (version, _))| (key, Version(count(version)))).collect();
        erased.documents = left.len();
        if !left.is_empty() {
            self.claim(&BTreeSet::from([writer])).await?;
        }
        let (mut decision, mut texts) = (Decision::default(), Vec::new());
        for (n, (key, version)) in (1..).zip(left) {
            let mut statements: Vec<Statement> =
                CONTENTS.iter().map(|contents| self.sender.about(sql(contents), key)).collect();
            let mark =
                "UPDATE documents SET erased = 1 WHERE tenant = $1 AND collection = $2 AND document = $3";
            statements.push(self.sender.about(sql(mark), key));
            statements.push(number(&self.sender.tenant));
            statements.push(self.sender.note(None, Some(key)));
            self.joined.tx.ask(statements).await?;
            let stamp = Stamp::at(self.sender.now, writer);
            let register = Register { stamp, version: version.next() };
            let mut document = Document::default();
            document.delete(register);
            let (version, position) = (register.version, self.position);
            decision.documents.insert(key.clone(), Stored { version, position, document, whole: None });
            let mutation = deletion(key, MutationId { writer, n }, stamp, version);
            decision.results.push(accepted(&mutation, version, self.position));
            texts.push(Json::parse(&json(&mutation)).expect("BUG: a mutation is always JSON"));
        }
        self.commit(&decision, &texts).await?;
        Ok(erased)
    }

    /// Whether somebody is named anywhere: with an installation of theirs, for settling a conflict as it stood, or for an
    /// earlier erasure.
    async fn has_written(&mut self, user: &User) -> Result<bool, StoreError> {
        let named = [
            "SELECT last_seen FROM clients WHERE tenant = $1 AND sub = $2 LIMIT 1",
            "SELECT at FROM audit WHERE tenant = $1 AND sub = $2 LIMIT 1",
            "SELECT at FROM erasures WHERE tenant = $1 AND sub = $2 LIMIT 1",
        ];
        let named = named.map(|text| sql(text).bind(self.sender.tenant.as_str()).bind(user.as_str()));
        let found: Vec<Option<i64>> = self.joined.tx.each(named.into()).await?;
        Ok(found.iter().any(Option::is_some))
    }

    /// Gives a person another name wherever they are named; gives that name.
    async fn rename(&mut self, user: &User) -> Result<String, StoreError> {
        let pseudonym = format!("erased-{:032x}", random::number());
        let earlier = "UPDATE erasures SET sub = $3 WHERE tenant = $1 AND sub = $2";
        let rename = |named: &&'static str| {
            let named = sql(named).bind(self.sender.tenant.as_str()).bind(user.as_str());
            named.bind(pseudonym.as_str())
        };
        let mut statements: Vec<Statement> = NAMED.iter().chain([&earlier]).map(rename).collect();
        statements.push(number(&self.sender.tenant));
        statements.push(self.sender.note(Some(&pseudonym), None));
        self.joined.tx.ask(statements).await?;
        Ok(pseudonym)
    }
}

impl Sender {
    fn about(&self, statement: Statement, key: &DocumentKey) -> Statement {
        statement.bind(self.tenant.as_str()).bind(key.collection.as_str()).bind(key.document.as_str())
    }

    /// The entry of the log that was numbered last.
    fn note(&self, pseudonym: Option<&str>, key: Option<&DocumentKey>) -> Statement {
        sql("INSERT INTO erasures (tenant, entry, at, sub, pseudonym, collection, document) \
             VALUES ($1, (SELECT entries FROM tenants WHERE tenant = $1), $2, $3, $4, $5, $6)")
        .bind(self.tenant.as_str())
        .bind(stored(self.now.0))
        .bind(self.user.as_str())
        .bind(pseudonym)
        .bind(key.map(|key| key.collection.as_str()))
        .bind(key.map(|key| key.document.as_str()))
    }
}

/// What stands in the history of a document from now on.
fn deletion(key: &DocumentKey, id: MutationId, stamp: Stamp, version: Version) -> Mutation {
    Mutation {
        id,
        group: None,
        replaces: None,
        needs: Vec::new(),
        first_sent_at: None,
        collection: key.collection.clone(),
        document: key.document.clone(),
        op: Op::Delete,
        fields: Vec::new(),
        base: Version(version.0 - 1),
        after: None,
        stamp,
        schema: 1,
    }
}

fn accepted(mutation: &Mutation, version: Version, position: Position) -> PushResult {
    PushResult {
        id: Some(mutation.id),
        verdict: Verdict::Applied,
        code: None,
        message: None,
        field: None,
        because: None,
        version,
        previous: mutation.base,
        position,
        stamp: Some(mutation.stamp),
        duplicate: false,
        restamped: false,
    }
}
