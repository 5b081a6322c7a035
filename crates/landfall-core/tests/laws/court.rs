//! The server's decision over maps, for mutations that are written down and read on the way.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::{Back, Facts, Proposal, Receipt, Rules, Stored, Terms, decide, settle};
use landfall_core::conflict::{Conflict, Policy};
use landfall_core::document::Document;
use landfall_core::id::{Collection, DocumentKey, MutationId, Position, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Mutation, Refusal};
use landfall_core::time::WallTime;
use landfall_core::wire::PushResult;

use crate::arbitrary::merges;

struct NoRules(Terms);

impl Rules for NoRules {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.0)
    }

    fn check(&self, _: Proposal<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// What a server keeps.
#[derive(Default)]
pub(crate) struct Court {
    pub(crate) documents: BTreeMap<DocumentKey, Stored>,
    pub(crate) receipts: BTreeMap<MutationId, Receipt>,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) policy: Policy,
    position: Position,
}

impl Court {
    /// Judges one batch of a client that has these writers.
    pub(crate) fn push(&mut self, own: &[u128], mutations: &[Mutation]) -> Vec<PushResult> {
        let texts: Vec<_> = mutations
            .iter()
            .map(|mutation| Json::parse(&serde_json::to_string(mutation).unwrap()).unwrap())
            .collect();
        self.position = self.position.next();
        let facts = Facts {
            position: self.position,
            documents: self.documents.clone(),
            receipts: self.receipts.clone(),
            own_writers: own.iter().map(|writer| Writer(*writer)).collect::<BTreeSet<_>>(),
        };
        let decision =
            decide(&texts, facts, &NoRules(Terms { merges: merges(), policy: self.policy }), WallTime(1));
        self.documents.extend(decision.documents);
        self.receipts.extend(decision.receipts);
        self.conflicts.extend(decision.conflicts);
        decision.results
    }

    /// A person, by a writer made for that, puts something back.
    pub(crate) fn settle(&mut self, back: Back, writer: u128) -> Result<Mutation, Refusal> {
        self.position = self.position.next();
        let key = self.documents.keys().next().unwrap().clone();
        let facts = Facts { position: self.position, documents: self.documents.clone(), ..Facts::default() };
        let rules = NoRules(Terms { merges: merges(), policy: self.policy });
        let (mutation, decision) = settle(&key, back, Writer(writer), facts, &rules, WallTime(1))?;
        assert_eq!(decision.conflicts, [], "who settles has seen everything");
        self.documents.extend(decision.documents);
        Ok(mutation)
    }

    /// The one document that these laws are about.
    pub(crate) fn document(&self) -> Document {
        self.documents.values().next().map(|stored| stored.document.clone()).unwrap_or_default()
    }

    /// What is visible of it.
    pub(crate) fn text(&self) -> Option<String> {
        self.document().value().filter(|_| !self.documents.is_empty()).map(|json| json.text().to_owned())
    }

    /// How often it was changed.
    pub(crate) fn version(&self) -> u64 {
        self.documents.values().next().map_or(0, |stored| stored.version.0)
    }
}
