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
mod platform;
mod run;
mod store;
mod transport;

use std::rc::Rc;

use js_sys::Function;
use landfall_core::backoff::SPREAD;
use landfall_core::client::Input;
use landfall_core::drain::Nudge;
use wasm_bindgen::prelude::*;

use crate::boundary::{Error, OpenOptions, WireAct, WireExport, WireMutation};
use crate::driver::Driver;

// A wake-up is spread over this so that many devices do not come back together; the user never waits for it.
const _: () = assert!(SPREAD.0 <= 8_000);

/// Opens a database: reads what is stored, and from then on reports to `listener`. Takes `WireOptions`.
///
/// # Errors
/// `invalid_options`, `storage_unavailable`.
#[wasm_bindgen]
pub async fn open(options: JsValue, auth: Option<Function>, listener: Function) -> Result<Database, JsValue> {
    let options: OpenOptions = boundary::from_js(&options)?;
    let driver = Driver::open(options, auth, listener).await?;
    Ok(Database { driver })
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

    /// Visible rows of a document or of a whole collection, as JSON, as far as they do not come as events before
    /// this resolves; later changes come as events.
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
        self.driver.with(|client| boundary::to_json(&WireExport { items: client.export() }))
    }

    /// The state of synchronisation, as JSON.
    pub fn state(&self) -> String {
        self.driver.with(|client| boundary::to_json(&client.state()))
    }

    /// `now`, `pause` or `resume`.
    ///
    /// # Errors
    /// `invalid_options` for another word.
    pub fn command(&self, name: &str) -> Result<(), JsValue> {
        let inputs = match name {
            "now" => vec![Input::Nudge(Nudge::Asked)],
            "pause" => vec![Input::Pause(true)],
            "resume" => vec![Input::Pause(false), Input::Nudge(Nudge::Asked)],
            other => return Err(Error::invalid(format!("no such command: {other}")).into()),
        };
        inputs.into_iter().for_each(|input| self.driver.feed(input));
        Ok(())
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

    /// As `close`, and deletes what is stored; other tabs close with `signed_out`.
    ///
    /// # Errors
    /// `storage_unavailable`.
    pub async fn destroy(&self) -> Result<(), JsValue> {
        Ok(self.driver.clone().destroy().await?)
    }

    /// Lets go of everything: storage, lock, channel and timers. What is durable stays.
    pub async fn close(&self) -> Result<(), JsValue> {
        self.driver.close();
        Ok(())
    }
}
