//! The device's stores in IndexedDB: runs the core's [`Transaction`]s as they are, in their order, also when the
//! browser cuts the connection: then on a new one, once more.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo_timers::callback::Timeout;
use landfall_core::client::Done;
use landfall_core::code::Code;
use landfall_core::transaction::Transaction;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::IdbVersionChangeEvent;

use crate::connection::{self, Connection};
use crate::oneshot;
use crate::run::{Run, Running};

type Ran = Result<Done, Code>;
type Told = Rc<dyn Fn(Cut)>;
/// A call, what it runs, and whom to tell.
type Waiting = (u64, Rc<Transaction>, oneshot::Sender<Ran>);

/// What happened to the database without anybody here having asked for it.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    /// The connection is gone, and maybe what was stored.
    Lost,
    /// Somebody deletes the database.
    Deleted,
}

/// When a connection is lost, its transactions are aborted and say so before that. Chromium has been seen to say nothing
/// of one that was begun in the same moment; so what has not ended so long after is taken for aborted.
const ABORTED_MILLIS: u32 = 1_000;

/// The open database.
pub(crate) struct Store {
    name: String,
    link: RefCell<Option<Link>>,
    /// How many links there were.
    links: Cell<u32>,
    calls: Cell<u64>,
    /// What waits for the next link, in the order of the calls.
    waiting: RefCell<Vec<Waiting>>,
    linking: Cell<bool>,
    closed: Cell<bool>,
    told: RefCell<Option<Told>>,
}

/// A connection, and what listens to it.
struct Link {
    connection: Connection,
    running: Running,
    _closed: Closure<dyn FnMut()>,
    _changing: Closure<dyn FnMut(IdbVersionChangeEvent)>,
}

impl Store {
    /// Opens the database, making its stores where they are missing.
    pub(crate) async fn open(name: &str) -> Result<Rc<Store>, Code> {
        let store = Rc::new(Store {
            name: name.to_owned(),
            link: RefCell::default(),
            links: Cell::default(),
            calls: Cell::default(),
            waiting: RefCell::default(),
            linking: Cell::default(),
            closed: Cell::default(),
            told: RefCell::default(),
        });
        store.link(connection::open(name).await?);
        Ok(store)
    }

    /// Has `told` called whenever the browser or another tab takes the database away.
    pub(crate) fn watch(&self, told: impl Fn(Cut) + 'static) {
        *self.told.borrow_mut() = Some(Rc::new(told));
    }

    /// Lets go of the database once what is under way has come to its end. Called while panicking.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        if let Ok(Some(link)) = self.link.try_borrow().as_deref() {
            link.connection.close();
        }
    }

    /// Deletes the database, once every tab has let go of it.
    pub(crate) async fn delete(&self) -> Result<(), Code> {
        connection::delete(&self.name).await
    }

    /// Runs a transaction. Those over the same stores take effect in the order of the calls.
    pub(crate) fn run(self: &Rc<Store>, transaction: Transaction) -> impl Future<Output = Ran> + use<> {
        let call = self.calls.replace(self.calls.get() + 1);
        let (store, links, transaction) = (self.clone(), self.links.get(), Rc::new(transaction));
        let begun = match self.begin(transaction.clone()) {
            Some(run) => Ok((run, transaction)),
            None => Err(self.put_off(call, transaction)),
        };
        async move {
            let again = match begun {
                Err(again) => again,
                Ok((run, transaction)) => match run.finish().await {
                    Ok(done) => return Ok(done),
                    Err(reason) if connection::code(&reason) == Code::StorageFull => {
                        return Err(Code::StorageFull);
                    }
                    // Whatever it was, it may be the connection; with another one, nothing is lost by trying.
                    Err(_) => {
                        store.lose(links);
                        store.put_off(call, transaction)
                    }
                },
            };
            again.await.unwrap_or(Err(Code::Closed))
        }
    }

    fn begin(&self, transaction: Rc<Transaction>) -> Option<Run> {
        let begun = {
            let link = self.link.borrow();
            let Link { connection, running, .. } = link.as_ref()?;
            Run::start(connection, running, transaction)
        };
        if begun.is_err() {
            self.lose(self.links.get());
        }
        begun.ok()
    }

    /// Has a transaction run on the next link.
    fn put_off(self: &Rc<Store>, call: u64, transaction: Rc<Transaction>) -> oneshot::Receiver<Ran> {
        let (give, given) = oneshot::channel();
        if !self.closed.get() {
            let mut waiting = self.waiting.borrow_mut();
            let at = waiting.partition_point(|(other, _, _)| *other < call);
            waiting.insert(at, (call, transaction, give));
            drop(waiting);
            self.mend();
        }
        given
    }

    /// Makes another link, and runs what waits for it.
    fn mend(self: &Rc<Store>) {
        if self.linking.replace(true) {
            return;
        }
        let store = self.clone();
        spawn_local(async move {
            let linked = if store.link.borrow().is_some() {
                Ok(())
            } else {
                connection::open(&store.name).await.map(|connection| store.link(connection))
            };
            store.linking.set(false);
            for (_, transaction, give) in store.waiting.take() {
                // All begin before any ends, in the order of the calls.
                let begun = linked.map(|()| store.begin(transaction));
                spawn_local(async move {
                    let ran = match begun {
                        Ok(Some(run)) => run.finish().await.map_err(|reason| connection::code(&reason)),
                        Ok(None) => Err(Code::StorageUnavailable),
                        Err(code) => Err(code),
                    };
                    give.send(ran);
                });
            }
        });
    }

    fn link(self: &Rc<Store>, connection: Connection) {
        if self.closed.get() {
            return connection.close();
        }
        let links = self.links.get() + 1;
        self.links.set(links);
        let cut = move |store: Weak<Store>, cut| {
            let Some(store) = store.upgrade() else { return };
            store.lose(links);
            let told = store.told.borrow().clone();
            if let Some(told) = told {
                told(cut);
            }
        };
        let store = Rc::downgrade(self);
        let running = Running::default();
        let left = running.clone();
        let closed = Closure::<dyn FnMut()>::new(move || {
            give_up(&left, true);
            cut(store.clone(), Cut::Lost);
        });
        let store = Rc::downgrade(self);
        let changing = Closure::<dyn FnMut(_)>::new(move |event: IdbVersionChangeEvent| {
            // Out of the way of whoever wants to change the schema, and then on with the changed one.
            let deleted = event.new_version().is_none();
            cut(store.clone(), if deleted { Cut::Deleted } else { Cut::Lost });
        });
        connection.set_onclose(Some(closed.as_ref().unchecked_ref()));
        connection.set_onversionchange(Some(changing.as_ref().unchecked_ref()));
        *self.link.borrow_mut() = Some(Link { connection, running, _closed: closed, _changing: changing });
    }

    /// Drops a link that may be dead, unless there is another one already.
    fn lose(&self, links: u32) {
        if links == self.links.get()
            && let Some(link) = self.link.take()
        {
            link.connection.close();
            give_up(&link.running, false);
        }
    }
}

/// Gives up what is under way, unless it ends in time.
fn give_up(running: &Running, dead: bool) {
    let running = running.clone();
    Timeout::new(ABORTED_MILLIS, move || running.give_up(dead)).forget();
}
