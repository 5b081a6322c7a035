//! What is left to do when the core panics.
//!
//! In a browser a panic is a trap and nothing else: no message, no hook, which together would be a tenth of what a page
//! downloads. The glue sees it come out of whatever call it was (`pkg/bundle.mjs`). It takes the instance with it, but
//! not what that holds in the browser: a lock nobody drains under, a connection, timers. These go here, the page is told,
//! and the next call from outside gets a new instance, which reads from storage all that was saved.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

#[cfg(feature = "planted")]
use wasm_bindgen::JsValue;
use wasm_bindgen::handler::schedule_reinit;

use crate::driver::Driver;

thread_local! {
    static OPEN: RefCell<Vec<Weak<Driver>>> = const { RefCell::new(Vec::new()) };
    static DEAD: Cell<bool> = const { Cell::new(false) };
}

/// Has this database abandoned, should anything in this instance panic.
pub(crate) fn watch(driver: &Rc<Driver>) {
    OPEN.with_borrow_mut(|open| {
        open.retain(|driver| driver.strong_count() > 0);
        open.push(Rc::downgrade(driver));
    });
}

/// The instance has trapped, in the middle of anything: what is borrowed stays borrowed.
pub(crate) fn abandon(trap: &str) {
    DEAD.set(true);
    let open = OPEN.with(|open| open.try_borrow_mut().map(|mut open| std::mem::take(&mut *open)));
    for driver in open.unwrap_or_default().iter().filter_map(Weak::upgrade) {
        driver.abandon(trap);
    }
    schedule_reinit();
}

/// Whether this instance has panicked. It would take calls, and answer none: it is what is left where the
/// browser could not make a new one.
pub(crate) fn is_dead() -> bool {
    DEAD.get()
}

/// Panics when this has been passed as often as the page says in `landfallPanic`; only in a module with
/// planted bugs.
#[cfg(feature = "planted")]
pub(crate) fn point() {
    let (global, count) = (js_sys::global(), "landfallPanic".into());
    let Some(left) = js_sys::Reflect::get(&global, &count).ok().and_then(|left| left.as_f64()) else {
        return;
    };
    let _ =
        js_sys::Reflect::set(&global, &count, &if left > 0.0 { (left - 1.0).into() } else { JsValue::NULL });
    assert!(left > 0.0, "planted");
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn point() {}
