//! The stream of hints, read as it comes.

use std::cell::Cell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Reflect, Uint8Array};
use landfall_core::client::{Failure, Heard};
use landfall_core::live::Hints;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, ReadableStreamDefaultReader};

use crate::driver::Driver;
use crate::transport::Transport;

/// A server says something every 25 s at least; one that is silent for longer than this is not there any more.
const SILENCE_MILLIS: u32 = 60_000;

/// A stream that is being read, until it ends or this is dropped; then nothing more is heard of it.
pub(crate) struct Stream {
    abort: AbortController,
    dropped: Rc<Cell<bool>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.dropped.set(true);
        self.abort.abort();
    }
}

impl Stream {
    pub(crate) fn open(driver: &Rc<Driver>) -> Stream {
        let abort = AbortController::new().expect("BUG: a browser without what every request uses");
        let stream = Stream { abort: abort.clone(), dropped: Rc::default() };
        let (driver, dropped) = (driver.clone(), stream.dropped.clone());
        spawn_local(async move {
            let hear = |heard| {
                if !dropped.get() {
                    driver.hear(heard);
                }
            };
            let Err(failure) = read(driver.transport(), &abort, &hear).await;
            hear(Heard::End(failure));
        });
        stream
    }
}

/// Asks for a stream and reads it to its end, which is always a failure.
async fn read(
    transport: &Transport,
    abort: &AbortController,
    hear: &impl Fn(Heard),
) -> Result<std::convert::Infallible, Failure> {
    let watch = || {
        let abort = abort.clone();
        Timeout::new(SILENCE_MILLIS, move || abort.abort())
    };
    let mut patience = watch();
    let body = transport.listen(abort).await?.body().ok_or(Failure::NotOurs)?;
    hear(Heard::Open);
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut hints = Hints::default();
    loop {
        let read = JsFuture::from(reader.read()).await.map_err(|_| Failure::Unreachable)?;
        let bytes = Reflect::get(&read, &"value".into()).ok().and_then(|value| value.dyn_into().ok());
        let bytes: Uint8Array = bytes.ok_or(Failure::Unreachable)?;
        drop(std::mem::replace(&mut patience, watch()));
        if hints.feed(&bytes.to_vec()) {
            hear(Heard::Hint);
        }
    }
}
