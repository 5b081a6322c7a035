//! The server's decision over maps, for mutations that are written down and read on the way.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::authority::{
    Back, Facts, Past, Proposal, Receipt, Rules, Stored, Terms, decide, parse, settle,
};
use landfall_core::conflict::{Conflict, Policy};
use landfall_core::document::Document;
use landfall_core::id::{Collection, DocumentKey, MutationId, Position, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Mutation, Refusal};
use landfall_core::time::WallTime;
use landfall_core::wire::PushResult;

use crate::arbitrary::merges;

pub(crate) struct NoRules(pub(crate) Terms);

impl Rules for NoRules {
    fn terms(&self, _: &Collection) -> Result<&Terms, Refusal> {
        Ok(&self.0)
    }

    fn may_see(&self, _: &Collection, _: &Json) -> bool {
        true
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
    /// What stood before each commit, by its version.
    pub(crate) earlier: BTreeMap<Version, Stored>,
    /// Every mutation that is in, by the version that it made.
    history: BTreeMap<Version, Mutation>,
    position: Position,
}

impl Court {
    /// Judges one batch of a client that has these writers.
    pub(crate) fn push(&mut self, own: &[u128], mutations: &[Mutation]) -> Vec<PushResult> {
        let text = |mutation: &Mutation| Json::parse(&serde_json::to_string(mutation).unwrap()).unwrap();
        let parsed: Vec<_> = mutations.iter().map(|mutation| parse(&text(mutation))).collect();
        self.position = self.position.next();
        let facts = Facts {
            position: self.position,
            documents: self.documents.clone(),
            receipts: self.receipts.clone(),
            own_writers: own.iter().map(|writer| Writer(*writer)).collect::<BTreeSet<_>>(),
            pasts: self.pasts(own, mutations),
            full: BTreeSet::new(),
            erased: BTreeSet::new(),
        };
        if let Some(stored) = self.documents.values().next() {
            self.earlier.insert(stored.version, stored.clone());
        }
        let decision = decide(
            &parsed,
            facts,
            &NoRules(Terms { merges: merges(), policy: self.policy, ..Terms::default() }),
            WallTime(1),
        );
        for (key, mut stored) in decision.documents {
            // As a database keeps it.
            if self.policy == Policy::DocumentLastWriteWins {
                stored.document = stored.document.encode().decode();
            }
            self.documents.insert(key, stored);
        }
        for (mutation, result) in mutations.iter().zip(&decision.results) {
            if result.stamp.is_some() && !result.duplicate {
                self.history.insert(result.version, mutation.clone());
            }
        }
        self.receipts.extend(decision.receipts);
        self.conflicts.extend(decision.conflicts);
        decision.results
    }

    /// What came before the one document, as a server keeps it where documents are decided as wholes.
    fn pasts(&self, own: &[u128], mutations: &[Mutation]) -> BTreeMap<DocumentKey, Past> {
        let Some((key, stored)) = self.documents.iter().next() else { return BTreeMap::new() };
        let seen = mutations.iter().filter_map(|mutation| {
            let version = mutation.base;
            let (_, earlier) = self.earlier.range(..=version).next_back()?;
            Some((version, if version < stored.version { earlier.clone() } else { stored.clone() }))
        });
        let own = self.history.iter().filter(|(_, mutation)| own.contains(&{ mutation.id.writer.0 }));
        let own = own.map(|(version, one)| (*version, (one.clone(), one.stamp)));
        BTreeMap::from([(key.clone(), Past { seen: seen.collect(), own: own.collect() })])
    }

    /// A person, by a writer made for that, puts something back.
    pub(crate) fn settle(&mut self, back: Back, writer: u128) -> Result<Mutation, Refusal> {
        self.position = self.position.next();
        let key = self.documents.keys().next().unwrap().clone();
        let facts = Facts { position: self.position, documents: self.documents.clone(), ..Facts::default() };
        let rules = NoRules(Terms { merges: merges(), policy: self.policy, ..Terms::default() });
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
