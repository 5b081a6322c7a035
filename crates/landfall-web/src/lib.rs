//! Landfall in a browser: [`landfall_core`] driven over IndexedDB, `fetch`, Web Locks and timers.
//!
//! What is exported is internal to the npm package: `pkg/src/wire.ts` declares it, and the classes in
//! `pkg/src` are what an app sees. Methods take `&self`, decode, call, encode; no borrow lives across an
//! `await`, so a call from inside a callback is as good as any.

mod boundary;
mod connection;
mod crash;
mod driver;
mod events;
mod live;
mod oneshot;
mod platform;
mod request;
mod run;
mod store;
mod transport;

use std::pin::Pin;
use std::rc::Rc;

use js_sys::{Function, Promise};
use landfall_core::backoff::SPREAD;
use landfall_core::code::Code;
use landfall_core::index::{Seek, Wanted};
use landfall_core::stored::Legacy;
#[cfg(target_family = "wasm")]
use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::boundary::{Error, OpenOptions, WireAct, WireMutation};
use crate::driver::Driver;

/// A kilobyte less to download than the standard library's, and no slower; it grows the memory it has instead of
/// taking more beside it.
#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: WasmDynamicTalc = new_wasm_dynamic_allocator();

// A wake-up is spread over this so that many devices do not come back together; the user never waits for it.
const _: () = assert!(SPREAD.0 <= 8_000);

/// Opens a database: reads what is stored, and from then on reports to `listener`. Takes `WireOptions`. What
/// `listener` returns counts where it is asked to migrate.
///
/// # Errors
/// `invalid_options`, `storage_unavailable`; `core_crashed`, at once, by an instance that is no longer.
#[wasm_bindgen]
pub fn open(options: JsValue, auth: Option<Function>, listener: Function) -> Result<Promise, JsValue> {
    if crash::is_dead() {
        return Err(Error::from(Code::CoreCrashed).into());
    }
    Ok(promise(Box::pin(async move {
        let options: OpenOptions = boundary::from_js(&options)?;
        let driver = Driver::open(options, auth, listener).await?;
        Ok(Database { driver }.into())
    })))
}

/// Called by the glue when the instance has trapped: gives back what it holds, tells the page, and has the next call from
/// outside made with a new one. `trap` says what is known of it.
#[wasm_bindgen]
pub fn abandon(trap: &str) {
    crash::abandon(trap);
}

type Answer = Result<JsValue, Error>;

/// The promise of an answer. Boxed, because what makes a promise of a future would be there once for each call.
fn promise(work: Pin<Box<dyn Future<Output = Answer>>>) -> Promise {
    future_to_promise(async move { Ok(work.await?) })
}

/// One open database.
#[wasm_bindgen]
pub struct Database {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Database {
    /// Makes writes, all or none of them; `grouped`, for the server too. Resolves when they are durable on
    /// this device.
    ///
    /// # Errors
    /// What [`landfall_core::client::Client::write`] refuses, `storage_full`, `storage_unavailable`, `closed`.
    pub fn write(&self, mutations: String, grouped: bool) -> Promise {
        let driver = self.driver.clone();
        promise(Box::pin(async move {
            let mutations: Vec<WireMutation> = boundary::from_json(&mutations)?;
            Ok(boundary::to_json(&driver.write(mutations, grouped).await?).into())
        }))
    }

    /// Does what a person has decided about an item of the outbox. Takes `WireAct`; resolves when that is durable.
    ///
    /// # Errors
    /// What [`landfall_core::client::Client::attend`] refuses, `storage_full`, `storage_unavailable`, `closed`.
    pub fn attend(&self, id: String, act: String) -> Promise {
        let driver = self.driver.clone();
        promise(Box::pin(async move {
            let act: WireAct = boundary::from_json(&act)?;
            Ok(boundary::to_json(&driver.attend(&id, act).await?).into())
        }))
    }

    /// Visible rows of a document or of a whole collection, as JSON, as far as they do not come as events before
    /// this resolves; later changes come as events.
    ///
    /// Without a name, nothing but documents that are written to by what is in the journal alone; so all of it is read.
    ///
    /// With a field, all rows come as events: those in which it is `equals`, a JSON text, or the first `count` in
    /// its order; the last, where that is negative. What is answered then is how much is known: `null` for the whole
    /// collection, else a text: empty for all that was asked for, or the key in the index up to which that is so.
    ///
    /// # Errors
    /// `invalid_collection`, `invalid_document`, `storage_unavailable`, `closed`.
    pub fn load(
        &self,
        collection: String,
        document: Option<String>,
        field: Option<String>,
        equals: Option<String>,
        count: i32,
    ) -> Promise {
        let driver = self.driver.clone();
        promise(Box::pin(async move {
            let equals = equals.map(|value| boundary::from_json(&value)).transpose()?;
            let first = Wanted::First { count: count.unsigned_abs(), descending: count < 0 };
            let wanted = equals.map_or(first, Wanted::Equal);
            let seek = field.map(|field| Seek { field, wanted });
            Ok(driver.load(collection, document, seek).await?.into())
        }))
    }

    /// Pending writes in journal order, then what needs attention, as JSON. What is in the journal alone has no fields.
    pub fn outbox(&self) -> String {
        self.driver.with(|client| boundary::to_json(&client.entries()))
    }

    /// Everything that the server does not have, whole, as JSON. Not what `unread` counts: that is in the journal alone.
    pub fn export(&self) -> String {
        self.driver.with(|client| boundary::to_json(&client.export()))
    }

    /// The state of synchronisation, as JSON.
    pub fn state(&self) -> String {
        self.driver.with(|client| boundary::to_json(&client.state()))
    }

    /// `now`, `pause` or `resume`, in every tab.
    ///
    /// # Errors
    /// `invalid_options` for another word.
    pub fn command(&self, name: &str) -> Result<(), JsValue> {
        Ok(self.driver.command_all(name)?)
    }

    /// A call of the server with the app's token: `GET` or `POST`. Gives the body of the answer.
    ///
    /// # Errors
    /// The code of the server's envelope, `unreachable`, `not_ours`, `invalid_options` without a server, `closed`.
    pub fn request(&self, method: String, path: String, body: Option<String>) -> Promise {
        let driver = self.driver.clone();
        promise(Box::pin(async move { Ok(driver.request(&method, &path, body).await?.into()) }))
    }

    /// Takes over what a database that was never synchronised exports; a second time, it changes nothing.
    ///
    /// # Errors
    /// `invalid_document` for what is no export, `storage_full`, `storage_unavailable`, `closed`.
    pub fn adopt(&self, from: String, through: f64, record: String) -> Promise {
        let driver = self.driver.clone();
        promise(Box::pin(async move {
            let record = boundary::from_json(&record)?;
            let from = from.parse().map_err(|_| Error::invalid("not an installation"))?;
            driver.adopt(Legacy { from, through: through as u64, record }).await?;
            Ok(JsValue::UNDEFINED)
        }))
    }

    /// As `close`, and deletes what is stored; other tabs close with `signed_out`. `through` is the last journal
    /// record whose writes may be deleted although the server does not have them.
    ///
    /// # Errors
    /// `pending_writes`, and then nothing has changed; `storage_unavailable`.
    pub fn leave(&self, through: Option<f64>) -> Promise {
        let driver = self.driver.clone();
        promise(Box::pin(async move {
            driver.leave(through).await?;
            Ok(JsValue::UNDEFINED)
        }))
    }

    /// Lets go of everything: storage, lock, channel and timers. What is durable stays.
    pub fn close(&self) {
        self.driver.close();
    }
}
