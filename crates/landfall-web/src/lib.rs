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
mod platform;
mod run;
mod store;
mod transport;

use std::rc::Rc;

use js_sys::{Function, Promise};
use landfall_core::backoff::SPREAD;
use landfall_core::code::Code;
use landfall_core::stored::Legacy;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::boundary::{Error, OpenOptions, WireAct, WireMutation};
use crate::driver::Driver;

// A wake-up is spread over this so that many devices do not come back together; the user never waits for it.
const _: () = assert!(SPREAD.0 <= 8_000);

/// Opens a database: reads what is stored, and from then on reports to `listener`. Takes `WireOptions`.
///
/// # Errors
/// `invalid_options`, `storage_unavailable`; `core_crashed`, at once, by an instance that is no longer.
#[wasm_bindgen]
pub fn open(options: JsValue, auth: Option<Function>, listener: Function) -> Result<Promise, JsValue> {
    if crash::is_dead() {
        return Err(Error::from(Code::CoreCrashed).into());
    }
    Ok(future_to_promise(async move {
        let options: OpenOptions = boundary::from_js(&options)?;
        let driver = Driver::open(options, auth, listener).await?;
        Ok(Database { driver }.into())
    }))
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
    pub async fn write(&self, mutations: String, grouped: bool) -> Result<String, JsValue> {
        let mutations: Vec<WireMutation> = boundary::from_json(&mutations)?;
        let receipts = self.driver.clone().write(mutations, grouped).await?;
        Ok(boundary::to_json(&receipts))
    }

    /// Does what a person has decided about an item of the outbox. Takes `WireAct`; resolves when that is durable.
    ///
    /// # Errors
    /// What [`landfall_core::client::Client::attend`] refuses, `storage_full`, `storage_unavailable`, `closed`.
    pub async fn attend(&self, id: String, act: String) -> Result<String, JsValue> {
        let act: WireAct = boundary::from_json(&act)?;
        let receipts = self.driver.clone().attend(&id, act).await?;
        Ok(boundary::to_json(&receipts))
    }

    /// Visible rows of a document or of a whole collection, as JSON; later changes come as events.
    ///
    /// # Errors
    /// `invalid_collection`, `invalid_document`, `storage_unavailable`, `closed`.
    pub async fn load(&self, collection: String, document: Option<String>) -> Result<String, JsValue> {
        Ok(self.driver.clone().load(collection, document).await?)
    }

    /// Pending writes in journal order, then what needs attention, as JSON.
    pub fn outbox(&self) -> String {
        self.driver.with(|client| boundary::to_json(&client.entries()))
    }

    /// Everything that the server does not have, whole, as JSON.
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
    pub async fn request(
        &self,
        method: String,
        path: String,
        body: Option<String>,
    ) -> Result<String, JsValue> {
        Ok(self.driver.clone().request(&method, &path, body).await?)
    }

    /// Takes over what a database that was never synchronised exports; a second time, it changes nothing.
    ///
    /// # Errors
    /// `invalid_document` for what is no export, `storage_full`, `storage_unavailable`, `closed`.
    pub async fn adopt(&self, from: &str, through: f64, record: &str) -> Result<(), JsValue> {
        let record = boundary::from_json(record)?;
        let from = from.parse().map_err(|_| Error::invalid("not an installation"))?;
        Ok(self.driver.clone().adopt(Legacy { from, through: through as u64, record }).await?)
    }

    /// As `close`, and deletes what is stored; other tabs close with `signed_out`. `through` is the last journal
    /// record whose writes may be deleted although the server does not have them.
    ///
    /// # Errors
    /// `pending_writes`, and then nothing has changed; `storage_unavailable`.
    pub async fn leave(&self, through: Option<f64>) -> Result<(), JsValue> {
        Ok(self.driver.clone().leave(through).await?)
    }

    /// Lets go of everything: storage, lock, channel and timers. What is durable stays.
    pub async fn close(&self) -> Result<(), JsValue> {
        self.driver.close();
        Ok(())
    }
}
