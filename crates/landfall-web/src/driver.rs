//! The loop: one input in, all outputs performed, then wait for the next.

mod calls;
mod tabs;

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::Function;
use landfall_core::client::{Client, Heard, Input, KEPT_BYTES_MAX, Options, Output, Remote, TAIL, Ticket};
use landfall_core::code::Code;
use landfall_core::drain::Nudge;
use landfall_core::id::{MutationId, Writer};
use landfall_core::map::Map;
use landfall_core::time::WallTime;
use wasm_bindgen_futures::spawn_local;

use self::tabs::{Bonds, Unsaid};
use crate::boundary::{Error, OpenOptions, to_json};
use crate::crash;
use crate::events::{End, Events};
use crate::live::Stream;
use crate::oneshot;
use crate::platform::{self, Listener};
use crate::store::{Cut, Store};
use crate::transport::Transport;

type Answer = Result<(), Code>;
/// Something that the core answers by ticket. Not generic, as [`Asked`] is not: a state machine for each
/// command would be a tenth of what a page downloads.
type Command<'a> = dyn FnMut(&mut Client, Ticket) -> Result<Vec<MutationId>, Error> + 'a;
type Asked = Pin<Box<dyn Future<Output = Result<Vec<MutationId>, Error>>>>;

/// One open database in one tab.
pub(crate) struct Driver {
    /// Of the database, and so of its lock and its channel.
    name: String,
    client: RefCell<Client>,
    store: Rc<Store>,
    remote: Remote,
    transport: Option<Transport>,
    events: Events,
    /// Calls of the page that wait for the core, by ticket.
    waiting: RefCell<Map<Ticket, oneshot::Sender<Answer>>>,
    tickets: Cell<Ticket>,
    ready: RefCell<Option<oneshot::Sender<Answer>>>,
    timer: RefCell<Option<(WallTime, Timeout)>>,
    stream: RefCell<Option<Stream>>,
    telling: Cell<bool>,
    hinting: RefCell<Option<Timeout>>,
    unsaid: Cell<Unsaid>,
    doubting: RefCell<Option<Timeout>>,
    closed: Cell<bool>,
    listeners: RefCell<Option<Vec<Listener>>>,
    bonds: RefCell<Option<Bonds>>,
    /// What was last said about pausing, in any tab; nothing yet.
    paused: Cell<Option<bool>>,
}

impl Driver {
    pub(crate) async fn open(
        options: OpenOptions,
        auth: Option<Function>,
        listener: Function,
    ) -> Result<Rc<Driver>, Error> {
        let name = options.database();
        let mut sealed = false;
        loop {
            let store = Store::open(&name).await?;
            let (ready, is_ready) = oneshot::channel();
            let driver = Driver::new(&options, store, (auth.clone(), listener.clone()), ready)?;
            crash::watch(&driver);
            driver.bind();
            driver.perform();
            let Err(code) = is_ready.await.unwrap_or(Err(Code::StorageUnavailable)) else {
                return Ok(driver);
            };
            if code != Code::SignedOut || sealed {
                return Err(code.into());
            }
            // Whoever gave it up did not live to delete it.
            sealed = true;
            driver.store.delete().await?;
        }
    }

    fn new(
        options: &OpenOptions,
        store: Rc<Store>,
        (auth, listener): (Option<Function>, Function),
        ready: oneshot::Sender<Answer>,
    ) -> Result<Rc<Driver>, Error> {
        let user = options.user()?;
        let url = options.url.as_deref();
        let client = Client::new(Options {
            client: hex(u128::from_le_bytes(platform::random()))
                .parse()
                .unwrap_or_else(|_| unreachable!("BUG: hex is a name")),
            user: user.clone(),
            writer: Writer(u128::from_le_bytes(platform::random())),
            seed: u64::from_le_bytes(platform::random()),
            remote: options.remote(),
            kept_bytes_max: KEPT_BYTES_MAX,
            collections: options.declared()?,
            tail: TAIL,
        });
        Ok(Rc::new(Driver {
            name: options.database(),
            client: RefCell::new(client),
            store,
            remote: options.remote(),
            transport: url.map(|url| Transport::new(url, user, auth)),
            events: Events::new(listener),
            waiting: RefCell::default(),
            tickets: Cell::new(0),
            ready: RefCell::new(Some(ready)),
            timer: RefCell::default(),
            stream: RefCell::default(),
            telling: Cell::new(false),
            hinting: RefCell::default(),
            unsaid: Cell::default(),
            doubting: RefCell::default(),
            closed: Cell::new(false),
            listeners: RefCell::default(),
            bonds: RefCell::default(),
            paused: Cell::default(),
        }))
    }

    /// Something to call that makes this driver do something. Weak, so that a database that was closed is not
    /// kept by those who would wake it.
    fn when(self: &Rc<Driver>, act: fn(&Rc<Driver>)) -> impl Fn() + use<> {
        let driver = Rc::downgrade(self);
        move || {
            if let Some(driver) = driver.upgrade() {
                act(&driver);
            }
        }
    }

    fn bind(self: &Rc<Driver>) {
        let woke: fn(&Rc<Driver>) = |driver| driver.feed(Input::Nudge(Nudge::Woke));
        let document = platform::document();
        let listeners = vec![
            Listener::new("online", self.when(woke)),
            Listener::new(
                "visibilitychange",
                self.when(|driver| {
                    driver.feed(Input::Seen(platform::is_visible()));
                    if platform::is_visible() {
                        // A tab that nobody saw may have been deaf to the others.
                        driver.feed(Input::Refresh);
                        driver.feed(Input::Nudge(Nudge::Woke));
                        driver.doubt();
                    }
                }),
            ),
            // Which of these come first, and which at all, differs from browser to browser.
            Listener::new("pagehide", self.when(Driver::part)),
            Listener::on(&document, "freeze", self.when(Driver::part)),
            Listener::on(&document, "resume", self.when(Driver::wake)),
            Listener::new("pageshow", self.when(Driver::wake)),
            Listener::on(
                &platform::connection(),
                "change",
                self.when(|driver| driver.feed(Input::Metered(platform::is_metered()))),
            ),
        ];
        *self.listeners.borrow_mut() = Some(listeners);
        self.feed(Input::Metered(platform::is_metered()));
        self.feed(Input::Seen(platform::is_visible()));
        let driver = Rc::downgrade(self);
        self.store.watch(move |cut| {
            let Some(driver) = driver.upgrade() else { return };
            match cut {
                Cut::Lost => driver.feed(Input::Refresh),
                Cut::Deleted => driver.end(Code::SignedOut),
            }
        });
        self.join();
    }

    pub(crate) fn close(&self) {
        self.say_unsaid();
        self.let_go();
        self.waiting.take();
    }

    /// Gives back what the browser holds for this database. Called while panicking, so it must not.
    fn let_go(&self) {
        self.closed.set(true);
        take(&self.timer);
        take(&self.hinting);
        take(&self.stream);
        take(&self.doubting);
        take(&self.listeners);
        self.loosen();
        self.store.close();
    }

    /// Everything is lost but what is stored: tells the page.
    pub(crate) fn abandon(&self, message: &str) {
        if !self.closed.get() {
            self.let_go();
            self.events.tell(&to_json(&End { crashed: Some(message), closed: None }));
        }
    }

    /// Closes, because of what happened elsewhere, and tells the page, or whoever is still opening it.
    fn end(&self, code: Code) {
        if self.closed.get() {
            return;
        }
        let opening = self.ready.take();
        self.close();
        match opening {
            Some(ready) => ready.send(Err(code)),
            None => self.events.tell(&to_json(&End { crashed: None, closed: Some(code) })),
        }
    }

    /// A call of the server for the app.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<String, Error> {
        match (&self.transport, self.remote) {
            _ if self.closed.get() => Err(Code::Closed.into()),
            (Some(transport), Remote::Present) => transport.request(method, path, body).await,
            (_, Remote::SignedOut) => Err(Code::SignedOut.into()),
            (_, Remote::Absent | Remote::Present) => {
                Err(Error::invalid("a database without url has no server"))
            }
        }
    }

    /// Looks at the core.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Client) -> T) -> T {
        look(&self.client.borrow())
    }

    /// Gives the core a fact and does what it wants done.
    pub(crate) fn feed(self: &Rc<Driver>, input: Input) {
        if self.closed.get() {
            return;
        }
        let mut client = self.client.borrow_mut();
        crash::point();
        client.handle_input(input, platform::now());
        drop(client);
        self.perform();
    }

    fn perform(self: &Rc<Driver>) {
        let mut hint = false;
        loop {
            let output = self.client.borrow_mut().poll_output();
            let Some(output) = output else { break };
            match output {
                Output::Transact(id, transaction) => {
                    let run = self.store.run(transaction);
                    self.then(Box::pin(async move { Input::Transacted(id, run.await) }));
                }
                Output::Migrate(older) => {
                    let answers = self.events.ask(&older);
                    self.feed(Input::Migrated(answers));
                }
                Output::Push(_) | Output::Pull(_) | Output::Ask => self.exchange(output),
                Output::Listen => *self.stream.borrow_mut() = Some(Stream::open(self)),
                Output::Mute => drop(take(&self.stream)),
                Output::Ready => self.be_ready(),
                Output::Unready(code) => return self.end(code),
                Output::Saved(ticket) | Output::Loaded(ticket) => self.answer(ticket, Ok(())),
                Output::Unsaved(ticket, code) | Output::Unloaded(ticket, code) => {
                    self.answer(ticket, Err(code))
                }
                Output::Settled(settled) => self.events.settled(settled),
                Output::Replaced(pairs) => self.events.replaced(pairs),
                Output::Hint => hint = true,
                Output::Stale => self.events.stale(),
            }
        }
        if hint {
            self.say_soon(Unsaid { changed: true, state: false });
            self.doubt();
        }
        self.arm();
        self.tell_soon();
    }

    /// Does something that takes time, and gives the core what came of it.
    fn then(self: &Rc<Driver>, work: Pin<Box<dyn Future<Output = Input>>>) {
        let driver = self.clone();
        spawn_local(async move {
            let input = work.await;
            driver.feed(input);
        });
    }

    fn exchange(self: &Rc<Driver>, request: Output) {
        let driver = self.clone();
        self.then(Box::pin(async move {
            let (transport, sent) = (driver.transport(), platform::now());
            if let Output::Push(batch) = request {
                Input::Pushed(transport.push(&batch).await, sent)
            } else if let Output::Pull(cursor) = request {
                Input::Pulled(transport.pull(cursor.as_deref()).await, sent)
            } else {
                Input::Token(transport.renew().await)
            }
        }));
    }

    /// The server, which a core that asks for it has.
    pub(crate) fn transport(&self) -> &Transport {
        self.transport.as_ref().expect("BUG: a request without a server")
    }

    /// Something was heard of the stream of hints.
    pub(crate) fn hear(self: &Rc<Driver>, heard: Heard) {
        if matches!(heard, Heard::End(_)) {
            take(&self.stream);
        }
        self.feed(Input::Heard(heard));
    }

    fn be_ready(&self) {
        if let Some(ready) = self.ready.take() {
            ready.send(Ok(()));
        }
    }

    fn answer(&self, ticket: Ticket, answer: Answer) {
        if let Some(waiting) = self.waiting.borrow_mut().remove(&ticket) {
            waiting.send(answer);
        }
    }

    /// Sees to it that the core is asked again when it wants to be.
    fn arm(self: &Rc<Driver>) {
        let wake_at = self.client.borrow().wake_at();
        let armed = self.timer.borrow().as_ref().map(|(at, _)| *at);
        if wake_at == armed {
            return;
        }
        let timer = wake_at.map(|at| {
            let driver = Rc::downgrade(self);
            // Longer waits than a timer can hold are cut; the core is asked early and says so.
            let wait = at.since(platform::now()).0.min(i32::MAX as u64) as u32;
            let timeout = Timeout::new(wait, move || {
                if let Some(driver) = driver.upgrade() {
                    driver.timer.take();
                    driver.feed(Input::Tick);
                }
            });
            (at, timeout)
        });
        *self.timer.borrow_mut() = timer;
    }

    /// Tells the page what happened in this turn, in one piece.
    fn tell_soon(self: &Rc<Driver>) {
        if self.telling.replace(true) {
            return;
        }
        let driver = self.clone();
        spawn_local(async move {
            driver.telling.set(false);
            if driver.closed.get() {
                return;
            }
            let text = driver.events.take(&mut driver.client.borrow_mut());
            if let Some(text) = text {
                driver.events.tell(&text);
            }
            if driver.events.is_state_news() {
                driver.say_soon(Unsaid { changed: false, state: true });
            }
        });
    }

    /// Runs a command of the core that answers by ticket, and waits for that.
    fn ask(self: &Rc<Driver>, command: &mut Command<'_>) -> Asked {
        if self.closed.get() {
            return Box::pin(ready(Err(Code::Closed.into())));
        }
        let ticket = self.tickets.get();
        self.tickets.set(ticket + 1);
        let (answer, answered) = oneshot::channel();
        self.waiting.borrow_mut().insert(ticket, answer);
        let result = command(&mut self.client.borrow_mut(), ticket);
        if result.is_err() {
            self.waiting.borrow_mut().remove(&ticket);
        }
        self.perform();
        Box::pin(async {
            let ids = result?;
            answered.await.unwrap_or(Err(Code::Closed))?;
            Ok(ids)
        })
    }
}

/// Takes what is there, unless it is in use.
fn take<T>(cell: &RefCell<Option<T>>) -> Option<T> {
    cell.try_borrow_mut().ok().and_then(|mut value| value.take())
}

fn hex(bits: u128) -> String {
    format!("{bits:032x}")
}
