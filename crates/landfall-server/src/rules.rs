//! Who may do what, and what a document must look like: the configured expressions, applied.
//!
//! What is not allowed is refused: an expression left out, or one that fails on a document, is a no.

mod expression;
mod form;
mod names;
mod schema;
mod staff;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_core::authority::{self, Mended, Proposal, Terms};
use landfall_core::code::Code;
use landfall_core::conflict::Policy;
use landfall_core::id::{Collection, DocumentKey};
use landfall_core::json::Json;
use landfall_core::map::Map;
use landfall_core::merge::{Merge, Merges};
use landfall_core::mutation::{Field, Mutation, Op, Refusal};
use landfall_core::path::Path;
use serde::Deserialize;
use serde_saphyr::Spanned;
use sha2::{Digest, Sha256};

use crate::caller::Caller;
use crate::config::Mistake;
use expression::{Expression, Language, Subject};
use form::Form;
use schema::Schema;

pub use staff::Staff;

/// A collection in the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CollectionEntry {
    /// How long it is kept who changed what.
    pub(crate) history_days: Option<Spanned<u64>>,
    read: Option<Spanned<String>>,
    create: Option<Spanned<String>>,
    update: Option<Spanned<String>>,
    delete: Option<Spanned<String>>,
    resolve: Option<Spanned<String>>,
    #[serde(default)]
    rules: Vec<RuleEntry>,
    #[serde(default)]
    fields: BTreeMap<String, Spanned<Merge>>,
    policy: Option<Spanned<Policy>>,
    schema: Option<Spanned<SchemaEntry>>,
    #[serde(default)]
    references: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    normalize: BTreeMap<String, Spanned<Vec<Form>>>,
}

/// A JSON Schema, or where one is: a file beside the configuration.
#[derive(Deserialize)]
#[serde(untagged)]
enum SchemaEntry {
    File(String),
    Here(serde_json::Value),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    name: String,
    check: Spanned<String>,
    field: Option<Spanned<String>>,
    message: String,
}

/// The rules of every collection.
pub struct Rules {
    collections: BTreeMap<Collection, CollectionRules>,
    /// What is said of each collection about who may read.
    reads: BTreeMap<String, Option<String>>,
}

struct CollectionRules {
    terms: Terms,
    read: Option<Expression>,
    create: Option<Expression>,
    update: Option<Expression>,
    delete: Option<Expression>,
    resolve: Option<Expression>,
    schema: Option<Schema>,
    forms: BTreeMap<String, Vec<Form>>,
    checks: Vec<Check>,
}

/// Something that must be true of every document as it is after a change.
struct Check {
    expression: Expression,
    field: Option<Path>,
    message: String,
}

impl Rules {
    /// `directory` is where files are that the configuration names.
    pub(crate) fn build(
        entries: BTreeMap<String, Spanned<CollectionEntry>>,
        directory: &std::path::Path,
    ) -> Result<Rules, Mistake> {
        let language = Language::new();
        let names: BTreeSet<String> = entries.keys().cloned().collect();
        let (mut collections, mut reads) = (BTreeMap::new(), BTreeMap::new());
        for (name, entry) in entries {
            reads.insert(name.clone(), entry.value.read.as_ref().map(|text| text.value.clone()));
            let collection = match name.parse::<Collection>() {
                Ok(collection) if !name.starts_with('_') => collection,
                Ok(_) | Err(_) => {
                    return Err(Mistake::at(&entry, format!("`{name}` cannot name a collection")));
                }
            };
            for (field, named) in &entry.value.references {
                if !names.contains(&named.value) {
                    let reason = format!(
                        "`{field}` names documents of `{}`, and there is no such collection",
                        named.value
                    );
                    return Err(Mistake::at(named, reason));
                }
            }
            collections.insert(collection, CollectionRules::build(&language, &name, entry.value, directory)?);
        }
        Ok(Rules { collections, reads })
    }

    /// What decides which documents `caller` may see, as a hash: the same while neither the rules nor their claims
    /// have changed.
    pub fn sight(&self, caller: &Caller) -> u64 {
        let roles: BTreeSet<&String> = caller.roles.iter().collect();
        let text = serde_json::to_string(&(&self.reads, caller.user.as_str(), roles));
        let hash = Sha256::digest(text.expect("BUG: texts are always JSON"));
        u64::from_be_bytes(*hash.first_chunk().expect("BUG: a hash of less than eight bytes"))
    }

    /// The rules as they apply to `caller`.
    pub fn of<'a>(&'a self, caller: &Caller) -> CallerRules<'a> {
        CallerRules { rules: self, subject: Subject::new(caller), settles: false }
    }

    /// The rules as they apply to `caller` who settles a conflict: `resolve` decides what they may do where it
    /// is configured; else they may what they might do by themselves.
    pub fn of_settler<'a>(&'a self, caller: &Caller) -> CallerRules<'a> {
        CallerRules { settles: true, ..self.of(caller) }
    }
}

impl CollectionRules {
    fn build(
        language: &Arc<Language>,
        name: &str,
        entry: CollectionEntry,
        directory: &std::path::Path,
    ) -> Result<CollectionRules, Mistake> {
        let compile = |kind: &str, text: &Spanned<String>| {
            Expression::compile(language, &format!("collections.{name}.{kind}"), &text.value)
                .map_err(|reason| Mistake::at(text, reason))
        };
        let optional =
            |kind: &str, text: Option<Spanned<String>>| text.map(|text| compile(kind, &text)).transpose();
        let check = |rule: RuleEntry| {
            let field = rule.field.as_ref().map(|text| {
                text.value.parse::<Path>().map_err(|_| {
                    Mistake::at(text, format!("field `{}` is no JSON Pointer such as /notes", text.value))
                })
            });
            Ok(Check {
                expression: compile(&format!("rules.{}", rule.name), &rule.check)?,
                field: field.transpose()?,
                message: rule.message,
            })
        };
        let mut merges = Merges::new();
        for (field, merge) in entry.fields {
            if field.is_empty() || field.starts_with('_') || field == "id" {
                return Err(Mistake::at(&merge, format!("`{field}` cannot name a field")));
            }
            merges.insert(field.into(), merge.value);
        }
        let policy = entry.policy.map(|policy| policy.value).unwrap_or_default();
        if let Some(forms) = entry.normalize.values().next()
            && policy == Policy::DocumentLastWriteWins
        {
            let reason =
                "`normalize` does not go with `document-last-write-wins`: what stands is what its writer saw";
            return Err(Mistake::at(forms, reason));
        }
        let mut references = Map::new();
        for (field, named) in entry.references {
            if entry.normalize.contains_key(&field) {
                let reason = format!("`{field}` names documents by their ids, which have no other form");
                return Err(Mistake::at(&named, reason));
            }
            let collection = named.value.parse().map_err(|_| Mistake::at(&named, "not a collection"))?;
            references.insert(field.into(), collection);
        }
        let forms = entry.normalize.into_iter().map(|(field, forms)| (field, forms.value)).collect();
        Ok(CollectionRules {
            terms: Terms { merges, policy, references },
            schema: entry.schema.map(|schema| compile_schema(&schema, directory)).transpose()?,
            forms,
            read: optional("read", entry.read)?,
            create: optional("create", entry.create)?,
            update: optional("update", entry.update)?,
            delete: optional("delete", entry.delete)?,
            resolve: optional("resolve", entry.resolve)?,
            checks: entry.rules.into_iter().map(check).collect::<Result<_, _>>()?,
        })
    }
}

fn compile_schema(entry: &Spanned<SchemaEntry>, directory: &std::path::Path) -> Result<Schema, Mistake> {
    let schema = match &entry.value {
        SchemaEntry::Here(schema) => Schema::compile(schema),
        SchemaEntry::File(file) => {
            let text = std::fs::read_to_string(directory.join(file)).map_err(|error| error.to_string());
            let schema = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
            schema
                .map_err(|reason| format!("`schema`: {file}: {reason}"))
                .and_then(|schema| Schema::compile(&schema).map_err(|reason| format!("{file}: {reason}")))
        }
    };
    schema.map_err(|reason| Mistake::at(entry, reason))
}

/// The rules for one caller.
pub struct CallerRules<'a> {
    rules: &'a Rules,
    subject: Subject,
    settles: bool,
}

impl CallerRules<'_> {
    /// Whether the caller may see a document with this text.
    pub fn may_read(&self, collection: &Collection, document: &str) -> bool {
        let Some(rules) = self.rules.collections.get(collection) else { return false };
        let Some(read) = &rules.read else { return false };
        if !read.looks_at_documents() {
            return read.holds(&self.subject, None, None);
        }
        match Json::parse(document) {
            Ok(document) => read.holds(&self.subject, Some(&document), None),
            Err(_) => false,
        }
    }

    /// Whether two callers with the same roles may see different documents of this collection, and one
    /// caller different documents over time.
    pub fn reads_depend_on_documents(&self, collection: &Collection) -> bool {
        let rules = self.rules.collections.get(collection);
        rules.and_then(|rules| rules.read.as_ref()).is_some_and(Expression::looks_at_documents)
    }

    /// Whether the documents of this collection are decided as wholes.
    pub fn decides_wholes(&self, collection: &Collection) -> bool {
        let rules = self.rules.collections.get(collection);
        rules.is_some_and(|rules| rules.terms.policy == Policy::DocumentLastWriteWins)
    }

    /// The documents that a mutation names and that have to be there.
    pub fn references(&self, mutation: &Mutation) -> Vec<DocumentKey> {
        let Some(rules) = self.rules.collections.get(&mutation.collection) else { return vec![] };
        rules.terms.named(mutation).filter_map(|(.., key)| key).collect()
    }

    /// Whether the caller may say that what a document is now is what it should be.
    pub fn may_settle(&self, collection: &Collection, document: &str) -> bool {
        let Some(rules) = self.rules.collections.get(collection) else { return false };
        let Ok(document) = Json::parse(document) else { return false };
        let expression = rules.resolve.as_ref().or(rules.update.as_ref());
        expression.is_some_and(|may| may.holds(&self.subject, Some(&document), Some(&document)))
    }

    fn of(&self, collection: &Collection) -> Result<&CollectionRules, Refusal> {
        self.rules.collections.get(collection).ok_or_else(|| {
            Refusal::new(Code::UnknownCollection, format!("this server has no collection `{collection}`"))
        })
    }

    fn holds(&self, expression: Option<&Expression>, proposal: Proposal<'_>) -> bool {
        expression
            .is_some_and(|expression| expression.holds(&self.subject, proposal.document, proposal.previous))
    }

    fn sees(&self, rules: &CollectionRules, document: &Json) -> bool {
        rules.read.as_ref().is_some_and(|read| read.holds(&self.subject, Some(document), None))
    }
}

impl authority::Rules for CallerRules<'_> {
    fn terms(&self, collection: &Collection) -> Result<&Terms, Refusal> {
        self.of(collection).map(|rules| &rules.terms)
    }

    fn may_see(&self, collection: &Collection, document: &Json) -> bool {
        self.rules.collections.get(collection).is_some_and(|rules| self.sees(rules, document))
    }

    fn mend(&self, collection: &Collection, fields: &[Field]) -> Option<Mended> {
        let forms = &self.rules.collections.get(collection)?.forms;
        let of = |field: &str| forms.get(field).map(Vec::as_slice).unwrap_or_default();
        if forms.is_empty() { None } else { form::mend(fields, of) }
    }

    fn check(&self, proposal: Proposal<'_>) -> Result<(), Refusal> {
        let collection = &proposal.key.collection;
        let rules = self.of(collection)?;
        // What is made has to be visible to who makes it.
        let hidden = |document| !self.sees(rules, document);
        if proposal.previous.is_none() && proposal.document.is_some_and(hidden) {
            return Err(Refusal::new(Code::Forbidden, format!("you may not create this in {collection}")));
        }
        let may_change = || self.holds(rules.update.as_ref(), proposal);
        let (allowed, verb) = match (proposal.op, proposal.previous) {
            (_, _) if self.settles && rules.resolve.is_some() => {
                (self.holds(rules.resolve.as_ref(), proposal), "settle")
            }
            (Op::Create, None) => (self.holds(rules.create.as_ref(), proposal), "create"),
            // Creating what is there already changes it, so it takes the right to do that.
            (Op::Create, Some(_)) | (Op::Patch, _) => (may_change(), "change"),
            (Op::Delete, _) => (self.holds(rules.delete.as_ref(), proposal), "delete"),
        };
        if !allowed {
            return Err(Refusal::new(Code::Forbidden, format!("you may not {verb} this in {collection}")));
        }
        let Some(document) = proposal.document else { return Ok(()) };
        if let Some(schema) = &rules.schema {
            schema.check(document)?;
        }
        let broken = rules.checks.iter().find(|check| !self.holds(Some(&check.expression), proposal));
        broken.map_or(Ok(()), |check| {
            let (code, message) = (Code::ValidationFailed, check.message.as_str());
            Err(match &check.field {
                Some(field) => Refusal::at(code, field, message),
                None => Refusal::new(code, message),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use authority::Rules as _;
    use landfall_core::id::DocumentKey;

    use super::*;
    use crate::config::Config;

    fn rules(text: &str) -> Rules {
        match Config::parse(&format!("collections:\n  notes:\n    {text}\n"), "landfall.yaml") {
            Ok(config) => config.rules,
            Err(error) => panic!("{error}"),
        }
    }

    fn verdict(rules: &Rules, op: Op, previous: Option<&str>, document: Option<&str>) -> Option<Code> {
        verdict_in(rules, "notes", op, previous, document)
    }

    fn verdict_in(
        rules: &Rules,
        collection: &str,
        op: Op,
        previous: Option<&str>,
        document: Option<&str>,
    ) -> Option<Code> {
        let caller = Caller {
            user: "ada".parse().unwrap(),
            tenant: Default::default(),
            roles: vec!["worker".to_owned()],
        };
        let [previous, document] = [previous, document].map(|text| text.map(|t| Json::parse(t).unwrap()));
        let key = DocumentKey { collection: collection.parse().unwrap(), document: "d".parse().unwrap() };
        let proposal = Proposal { key: &key, op, previous: previous.as_ref(), document: document.as_ref() };
        rules.of(&caller).check(proposal).err().map(|refusal| refusal.code)
    }

    #[test]
    fn what_nobody_allowed_is_forbidden() {
        let rules = rules("read: 'true'");
        assert_eq!(verdict(&rules, Op::Create, None, Some("{}")), Some(Code::Forbidden));
        assert_eq!(verdict(&rules, Op::Patch, Some("{}"), Some("{}")), Some(Code::Forbidden));
        assert_eq!(verdict(&rules, Op::Delete, Some("{}"), None), Some(Code::Forbidden));
        let code = verdict_in(&rules, "others", Op::Create, None, Some("{}"));
        assert_eq!(code, Some(Code::UnknownCollection));
    }

    #[test]
    fn what_is_made_is_visible_to_who_makes_it_and_may_be_handed_over() {
        let rules =
            rules("{ read: document.owner == user.id, create: 'true', update: 'true', delete: 'true' }");
        let (mine, theirs) = (r#"{"owner":"ada"}"#, r#"{"owner":"ben"}"#);
        assert_eq!(verdict(&rules, Op::Patch, Some(mine), Some(theirs)), None, "handed over");
        assert_eq!(verdict(&rules, Op::Create, None, Some(mine)), None);
        assert_eq!(verdict(&rules, Op::Create, None, Some(theirs)), Some(Code::Forbidden));
    }

    #[test]
    fn creating_what_is_there_takes_the_right_to_change_it() {
        let rules = rules("{ read: 'true', create: 'true' }");
        assert_eq!(verdict(&rules, Op::Create, None, Some("{}")), None);
        assert_eq!(verdict(&rules, Op::Create, Some("{}"), Some("{}")), Some(Code::Forbidden));
    }

    #[test]
    fn an_expression_that_fails_on_a_document_is_a_no() {
        let rules = rules("{ read: 'true', create: 'document.size > 3' }");
        assert_eq!(verdict(&rules, Op::Create, None, Some(r#"{"size":4}"#)), None);
        assert_eq!(verdict(&rules, Op::Create, None, Some(r#"{"size":3.5}"#)), None);
        for document in [r#"{"size":1}"#, r#"{"size":"large"}"#, "{}", r#"{"size":1e999}"#] {
            assert_eq!(
                verdict(&rules, Op::Create, None, Some(document)),
                Some(Code::Forbidden),
                "{document}"
            );
        }
    }

    #[test]
    fn previous_document_and_user_can_be_compared() {
        let rules = rules(
            "{ read: 'true', update: '\"worker\" in user.roles && user.tenant == \"default\" && \
             document.n >= previous.n' }",
        );
        assert_eq!(verdict(&rules, Op::Patch, Some(r#"{"n":1}"#), Some(r#"{"n":2}"#)), None);
        let backwards = verdict(&rules, Op::Patch, Some(r#"{"n":2}"#), Some(r#"{"n":1}"#));
        assert_eq!(backwards, Some(Code::Forbidden));
    }
}
