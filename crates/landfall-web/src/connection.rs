//! The connection to IndexedDB: made within a time that a person waits, with all stores there.
//!
//! The version of a database counts how often stores were added to it and means nothing else, so older
//! code opens what newer code has made. There is no library in between: rexie cannot ask for a durability, reports
//! quota errors as success, loses the reason of an abort, and weighs 10 KB.

use std::cell::Cell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Object, Promise, Reflect};
use landfall_core::code::Code;
use landfall_core::stored::Store as StoreName;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{DomException, IdbDatabase, IdbFactory, IdbObjectStore, IdbOpenDbRequest, IdbTransaction};

use crate::platform::within;

/// Safari has been seen to answer only the second of two requests to open, and some never.
const TRIES: u32 = 2;
/// How long one try may take.
const PATIENCE_MILLIS: u32 = 10_000;
/// After so long, somebody else is in the way of an upgrade or a deletion.
const BLOCKED_MILLIS: u32 = 1_000;

#[wasm_bindgen]
extern "C" {
    /// web-sys has the durability only behind an unstable flag.
    #[wasm_bindgen(extends = IdbDatabase)]
    pub(crate) type Connection;

    #[wasm_bindgen(method, catch, js_name = transaction)]
    pub(crate) fn begin(
        this: &Connection,
        stores: &JsValue,
        mode: &str,
        options: &JsValue,
    ) -> Result<IdbTransaction, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createObjectStore)]
    fn create_store(this: &Connection, name: &str, options: &Object) -> Result<IdbObjectStore, JsValue>;
}

/// Opens the database, making what is missing of it.
pub(crate) async fn open(name: &str) -> Result<Connection, Code> {
    let trouble = Rc::new(Cell::new(Code::StorageUnavailable));
    for _ in 0..TRIES {
        let (name, told) = (name.to_owned(), trouble.clone());
        let given_up = Rc::new(Cell::new(false));
        let late = given_up.clone();
        let opened = future_to_promise(async move {
            let connection = connect(&name, told).await?;
            // What comes too late must not stay open: it would be in the way of upgrades and deletion.
            if late.get() {
                connection.close();
            }
            Ok(connection.into())
        });
        match within(PATIENCE_MILLIS, &opened).await {
            Some(Ok(connection)) => return Ok(connection.unchecked_into()),
            Some(Err(reason)) => trouble.set(code(&reason)),
            None => given_up.set(true),
        }
    }
    Err(trouble.get())
}

/// Deletes the database, once every tab has let go of it; also after it has said here that one does not.
pub(crate) async fn delete(name: &str) -> Result<(), Code> {
    let request = factory().and_then(|factory| factory.delete_database(name));
    let request = request.map_err(|reason| code(&reason))?;
    match within(BLOCKED_MILLIS, &settled(&request)).await {
        Some(deleted) => deleted.map(drop).map_err(|reason| code(&reason)),
        None => Err(Code::StorageBlocked),
    }
}

/// What a failure of IndexedDB means.
pub(crate) fn code(reason: &JsValue) -> Code {
    match reason.dyn_ref::<DomException>().map(DomException::name).as_deref() {
        Some("QuotaExceededError") => Code::StorageFull,
        // No key is left, or another one would be twice: the journal is sealed.
        Some("ConstraintError") => Code::SignedOut,
        Some(_) | None => Code::StorageUnavailable,
    }
}

async fn connect(name: &str, trouble: Rc<Cell<Code>>) -> Result<Connection, JsValue> {
    let connection = reach(name, None).await?;
    if connection.missing().next().is_none() {
        return Ok(connection);
    }
    let next = connection.version() as u32 + 1;
    connection.close();
    let blocked = Timeout::new(BLOCKED_MILLIS, move || {
        trouble.set(Code::StorageBlocked);
        web_sys::console::warn_1(&"landfall: another tab keeps an older version of the database open".into());
    });
    let made = reach(name, Some(next)).await;
    drop(blocked);
    match made {
        Ok(connection) => Ok(connection),
        // Another tab may have been faster; what counts is what is there afterwards.
        Err(_) => reach(name, None).await,
    }
}

/// Opens the database, in a later version with what it lacks, or as it is; one that is new lacks nothing.
async fn reach(name: &str, version: Option<u32>) -> Result<Connection, JsValue> {
    let factory = factory()?;
    let request = match version {
        Some(version) => factory.open_with_u32(name, version)?,
        None => factory.open(name)?,
    };
    let opening = request.clone();
    let make = Closure::once(move || -> Result<(), JsValue> {
        let connection: Connection = opening.result()?.unchecked_into();
        for store in connection.missing() {
            let options = Object::new();
            Reflect::set(&options, &"autoIncrement".into(), &store.is_counted().into())?;
            connection.create_store(store.name(), &options)?;
        }
        Ok(())
    });
    request.set_onupgradeneeded(Some(make.as_ref().unchecked_ref()));
    JsFuture::from(settled(&request)).await?;
    Ok(request.result()?.unchecked_into())
}

impl Connection {
    /// The stores that an older version of this code did not know.
    fn missing(&self) -> impl Iterator<Item = StoreName> + use<> {
        let there = self.object_store_names();
        StoreName::ALL.into_iter().filter(move |store| !there.contains(store.name()))
    }
}

fn factory() -> Result<IdbFactory, JsValue> {
    Reflect::get(&js_sys::global(), &"indexedDB".into())?.dyn_into()
}

fn settled(request: &IdbOpenDbRequest) -> Promise {
    Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    })
}
