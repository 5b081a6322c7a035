//! What the core must not know: clock, chance, the other tabs, and when the network may be back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use landfall_core::code::Code;
use landfall_core::time::WallTime;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, BroadcastChannel, Crypto, EventTarget, MessageEvent};

/// What the device's clock reads.
pub(crate) fn now() -> WallTime {
    WallTime(js_sys::Date::now().max(0.0) as u64)
}

/// What a promise comes to; `None` if that takes longer.
pub(crate) async fn within(millis: u32, promise: &Promise) -> Option<Result<JsValue, JsValue>> {
    let late = JsValue::from(Object::new());
    let patience = Promise::new(&mut |resolve, _| {
        let late = late.clone();
        Timeout::new(millis, move || drop(resolve.call1(&JsValue::NULL, &late))).forget();
    });
    let first = JsFuture::from(Promise::race(&Array::of2(promise, &patience))).await;
    (first.as_ref() != Ok(&late)).then_some(first)
}

/// Random bytes. `getRandomValues` is there in insecure contexts too.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let crypto: Crypto = global("crypto").unchecked_into();
    let mut bytes = [0; N];
    let buffer = Uint8Array::new_with_length(N as u32);
    crypto
        .get_random_values_with_array_buffer_view(&buffer)
        .expect("BUG: fewer random bytes than a page may ask for");
    buffer.copy_to(&mut bytes);
    bytes
}

/// A member of the global scope, be it a page's or a worker's.
fn global(name: &str) -> JsValue {
    Reflect::get(&js_sys::global(), &name.into()).unwrap_or(JsValue::UNDEFINED)
}

type Callback = Closure<dyn FnMut()>;

/// Listens until dropped.
pub(crate) struct Listener {
    target: Option<EventTarget>,
    name: &'static str,
    callback: Callback,
}

impl Listener {
    /// Listens to the global scope.
    pub(crate) fn new(name: &'static str, callback: impl FnMut() + 'static) -> Listener {
        Listener::on(&js_sys::global(), name, callback)
    }

    /// Listens to `target`, if there is one.
    pub(crate) fn on(target: &JsValue, name: &'static str, callback: impl FnMut() + 'static) -> Listener {
        let callback = Closure::new(callback);
        let target = (!target.is_undefined()).then(|| target.unchecked_ref::<EventTarget>().clone());
        if let Some(target) = &target {
            // A scope that knows no such event never has one.
            let _ = target.add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
        }
        Listener { target, name, callback }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            let callback = self.callback.as_ref().unchecked_ref();
            let _ = target.remove_event_listener_with_callback(self.name, callback);
        }
    }
}

/// The page's document; `undefined` in a worker.
pub(crate) fn document() -> JsValue {
    global("document")
}

/// What the browser knows of the network; `undefined` where it does not say.
pub(crate) fn connection() -> JsValue {
    Reflect::get(&global("navigator"), &"connection".into()).unwrap_or(JsValue::UNDEFINED)
}

/// Whether the network is paid for by volume, as far as the browser says.
pub(crate) fn is_metered() -> bool {
    let about = |name: &str| Reflect::get(&connection(), &name.into()).unwrap_or(JsValue::UNDEFINED);
    about("saveData").is_truthy() || about("type").as_string().is_some_and(|kind| kind == "cellular")
}

/// Whether somebody may be looking at this page; a worker counts as looked at.
pub(crate) fn is_visible() -> bool {
    let state = Reflect::get(&document(), &"visibilityState".into());
    state.ok().and_then(|state| state.as_string()).is_none_or(|state| state == "visible")
}

/// What tabs with the same database tell each other.
pub(crate) enum Said {
    /// What is stored has changed.
    Changed,
    /// What is stored is being deleted.
    Gone,
    /// A command for all of them; [`STATE`]; [`PAUSED`]; or, from the one that drains, how that goes, as JSON.
    Word(String),
}

/// How does it go? Asked by a tab that joins the others.
pub(crate) const STATE: &str = "state";

/// Nothing is sent or fetched. Said to a tab that has just been opened, by those that were there before.
pub(crate) const PAUSED: &str = "paused";

/// The other tabs with the same database. What is said here is a hint; nothing depends on its arrival.
pub(crate) struct Siblings {
    channel: Option<BroadcastChannel>,
    _heard: Closure<dyn FnMut(MessageEvent)>,
}

impl Siblings {
    pub(crate) fn new(name: &str, mut heard: impl FnMut(Said) + 'static) -> Siblings {
        let heard: Closure<dyn FnMut(MessageEvent)> = Closure::new(move |event: MessageEvent| {
            let gone = Code::SignedOut.as_str();
            heard(match event.data().as_string() {
                None => Said::Changed,
                Some(word) if word == gone => Said::Gone,
                Some(word) => Said::Word(word),
            });
        });
        let channel = BroadcastChannel::new(name).ok();
        if let Some(channel) = &channel {
            channel.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        }
        Siblings { channel, _heard: heard }
    }

    pub(crate) fn say(&self, said: Said) {
        let message = match said {
            Said::Changed => JsValue::NULL,
            Said::Gone => Code::SignedOut.as_str().into(),
            Said::Word(word) => word.into(),
        };
        if let Some(channel) = &self.channel {
            let _ = channel.post_message(&message);
        }
    }

    pub(crate) fn close(&self) {
        if let Some(channel) = &self.channel {
            channel.set_onmessage(None);
            channel.close();
        }
    }
}

/// The wish to be the tab that drains. The browser passes the lock on when its holder is gone, however it went.
pub(crate) struct Leadership {
    release: RefCell<Option<Function>>,
    /// Ends the wait: a lock that a sleeping page is given, nobody else gets.
    wait: Option<AbortController>,
    held: Rc<Cell<bool>>,
    _granted: Option<Closure<dyn FnMut(JsValue) -> JsValue>>,
}

impl Leadership {
    /// Calls `lead` once this tab holds the lock, and again when another tab has taken it away; at once where the
    /// browser has no locks (two drainers do no harm). `steal` takes it from whoever has it.
    pub(crate) fn seek(name: &str, steal: bool, lead: Rc<dyn Fn(bool)>) -> Leadership {
        let held = Rc::new(Cell::new(false));
        let locks = Reflect::get(&global("navigator"), &"locks".into()).unwrap_or(JsValue::UNDEFINED);
        let request =
            Reflect::get(&locks, &"request".into()).ok().and_then(|f| f.dyn_into::<Function>().ok());
        let wait = AbortController::new().ok();
        let (Some(request), Some(wait)) = (request, wait) else {
            held.set(true);
            lead(true);
            return Leadership { release: RefCell::default(), wait: None, held, _granted: None };
        };
        let mut release = None;
        let end = Promise::new(&mut |resolve, _| release = Some(resolve));
        let (holds, leads) = (held.clone(), lead.clone());
        let granted = Closure::<dyn FnMut(JsValue) -> JsValue>::new(move |_| {
            holds.set(true);
            leads(true);
            end.clone().into()
        });
        // As options the wait has the one that counts: its `signal`.
        let options = if steal { Object::new() } else { wait.clone().unchecked_into() };
        if steal {
            let _ = Reflect::set(&options, &"steal".into(), &JsValue::TRUE);
        }
        let arguments = Array::of3(&name.into(), &options, granted.as_ref());
        let asked = Reflect::apply(&request, &locks, &arguments);
        if let Ok(promise) = asked.and_then(|promise| promise.dyn_into::<Promise>()) {
            // A refusal (an opaque origin, a closing page, a wait that was ended) leaves the draining to others.
            let holds = held.clone();
            let refused = Closure::<dyn FnMut(JsValue)>::new(move |_| {
                if holds.take() {
                    lead(false);
                }
            });
            let _ = promise.catch(&refused);
            refused.forget();
        }
        Leadership { release: RefCell::new(release), wait: Some(wait), held, _granted: Some(granted) }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.get()
    }

    pub(crate) fn resign(&self) {
        self.held.set(false);
        if let Some(wait) = &self.wait {
            wait.abort();
        }
        if let Some(release) = self.release.take() {
            let _ = release.call0(&JsValue::NULL);
        }
    }
}
