//! Between JavaScript and Rust: options and errors as objects, everything in bulk as one JSON text.

use std::borrow::Cow;

use js_sys::{Object, Reflect};
use landfall_core::client::{Act, Declared, Remote};
use landfall_core::code::Code;
use landfall_core::id::{Collection, DocumentId, DocumentKey, MutationId, User};
use landfall_core::intent::Intent;
use landfall_core::json::{self, Json};
use landfall_core::map::Map;
use landfall_core::merge::Merges;
use landfall_core::mutation::{Change, Field, Op, Refusal};
use landfall_core::path::Path;
use landfall_core::stored::{Network, Priority, Urgency};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

/// `WireError`: the one shape of everything that is thrown.
#[derive(Debug)]
pub(crate) struct Error {
    code: Cow<'static, str>,
    message: String,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code: code.as_str().into(), message: message.into() }
    }

    /// An error with a code of the server's, which may be one that is not known here.
    pub(crate) fn named(code: String, message: String) -> Error {
        Error { code: code.into(), message }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(Code::InvalidOptions, message)
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Error {
        let message = match code {
            Code::StorageFull => "this device has no room left; nothing of this write was kept",
            Code::StorageUnavailable => {
                "this device's storage cannot be used; nothing of this write was kept"
            }
            Code::Closed => "the database is closed",
            Code::SignedOut => "nobody has signed in",
            Code::PendingWrites => "another tab has just written something that is not on the server yet",
            other => other.as_str(),
        };
        Error::new(code, message)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        let message = match &refusal.field {
            Some(field) => format!("{field}: {}", refusal.message),
            None => refusal.message,
        };
        Error::new(refusal.code, message)
    }
}

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        let object = Object::new();
        for (name, text) in [("code", &*error.code), ("message", &*error.message)] {
            let set = Reflect::set(&object, &name.into(), &text.into());
            set.unwrap_or_else(|_| unreachable!("BUG: an object of ours that takes no members"));
        }
        object.into()
    }
}

pub(crate) fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<T, Error> {
    // Reading the value itself, with everything that it may be, takes 8 KB.
    let text = js_sys::JSON::stringify(value).ok().and_then(|text| text.as_string()).unwrap_or_default();
    json::read(&text).map_err(|error| Error::invalid(error.to_string()))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    json::read(text).map_err(|error| Error::new(Code::InvalidDocument, error.to_string()))
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    json::write(value)
}

/// `WireOptions`.
#[derive(Deserialize)]
pub(crate) struct OpenOptions {
    pub(crate) name: String,
    pub(crate) url: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) collections: Map<String, CollectionOptions>,
}

/// What a collection is declared with, as far as the core has to know.
#[derive(Clone, Deserialize)]
pub(crate) struct CollectionOptions {
    pub(crate) version: u32,
    #[serde(default)]
    pub(crate) parent: Map<Box<str>, Collection>,
    #[serde(default)]
    pub(crate) fields: Merges,
    #[serde(default)]
    pub(crate) indexes: Vec<String>,
    #[serde(default)]
    pub(crate) migrates: bool,
}

/// The user of a database that nobody has signed in to.
const GUEST: &str = "guest";

impl OpenOptions {
    pub(crate) fn user(&self) -> Result<User, Error> {
        self.user.as_deref().unwrap_or(GUEST).parse().map_err(|error| Error::invalid(format!("{error}")))
    }

    /// What a guest writes is never sent as anybody's.
    pub(crate) fn remote(&self) -> Remote {
        match (&self.url, &self.user) {
            (None, _) => Remote::Absent,
            (Some(_), None) => Remote::SignedOut,
            (Some(_), Some(_)) => Remote::Present,
        }
    }

    pub(crate) fn declared(&self) -> Result<Map<Collection, Declared>, Error> {
        let declared = self.collections.iter().map(|(name, options)| {
            let name = name.parse().map_err(|_| {
                Error::new(Code::InvalidCollection, format!("{name} is no name of a collection"))
            })?;
            let CollectionOptions { version, parent, fields, indexes, migrates } = options.clone();
            Ok((name, Declared { version, parents: parent, fields, indexes, migrates }))
        });
        declared.collect()
    }

    /// One database per server and user, so that nothing is ever sent under another identity.
    pub(crate) fn database(&self) -> String {
        // As a list in JSON, where no name can look like two.
        format!("landfall {}", to_json(&(&self.name, &self.user, &self.url)))
    }
}

/// `WireMutation`. One struct for all kinds: serde buffers tagged enums, and raw JSON text cannot be buffered.
#[derive(Deserialize)]
pub(crate) struct WireMutation {
    op: Op,
    collection: Collection,
    document: Option<DocumentId>,
    data: Option<Json>,
    #[serde(default)]
    unset: Vec<Path>,
    #[serde(default)]
    changes: Vec<Field>,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    network: Network,
}

impl WireMutation {
    /// Whether the id of the document is ours to choose.
    pub(crate) fn is_minted(&self) -> bool {
        self.document.is_none()
    }

    /// When it is to go.
    pub(crate) fn urgency(&self) -> Urgency {
        Urgency { priority: self.priority, network: self.network }
    }

    /// What the app asks for. A document without an id gets the one that `mint` makes.
    pub(crate) fn intent(self, mint: impl FnOnce() -> DocumentId) -> Result<Intent, Error> {
        let missing = |what: &str| Error::new(Code::InvalidDocument, format!("{what} is missing"));
        let WireMutation { op, collection, document, data, unset, changes, .. } = self;
        let document = match (op, document) {
            (_, Some(document)) => document,
            (Op::Create, None) => mint(),
            (Op::Patch | Op::Delete, None) => return Err(missing("document")),
        };
        let key = DocumentKey { collection, document };
        let data = data.ok_or_else(|| missing("data"));
        Ok(match op {
            Op::Create => Intent::Create(key, data?),
            Op::Patch => Intent::Patch(key, data?, with_unset(changes, unset)),
            Op::Delete => Intent::Delete(key),
        })
    }
}

fn with_unset(mut changes: Vec<Field>, unset: Vec<Path>) -> Vec<Field> {
    changes.extend(unset.into_iter().map(|path| Field { path, change: Change::Unset }));
    changes
}

/// `WireAct`.
#[derive(Deserialize)]
pub(crate) struct WireAct {
    act: ActName,
    data: Option<Json>,
    #[serde(default)]
    unset: Vec<Path>,
    #[serde(default)]
    changes: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActName {
    Retry,
    Edit,
    Discard,
}

impl WireAct {
    /// What is to become of a write to this document.
    pub(crate) fn act(self, key: DocumentKey) -> Result<Act, Error> {
        Ok(match self.act {
            ActName::Retry => Act::Retry,
            ActName::Discard => Act::Discard,
            ActName::Edit => {
                let data = self.data.ok_or_else(|| Error::new(Code::InvalidDocument, "data is missing"))?;
                Act::Edit(Intent::Patch(key, data, with_unset(self.changes, self.unset)).fields()?)
            }
        })
    }
}

/// `WireReceipt`.
#[derive(Serialize)]
pub(crate) struct WireReceipt {
    pub(crate) document: DocumentId,
    pub(crate) mutation: MutationId,
}

/// `WireRow`.
#[derive(Serialize)]
pub(crate) struct WireRow<'a> {
    pub(crate) collection: &'a Collection,
    pub(crate) id: &'a DocumentId,
    pub(crate) data: Option<&'a Json>,
}
