//! A request as `fetch` takes it: in pages and in workers, with nothing kept and no cookies.

use js_sys::{Object, Promise, Reflect};
use landfall_core::client::Failure;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Response};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &Object) -> Result<Promise, JsValue>;
}

/// What is asked of whom.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) body: Option<String>,
}

impl Request {
    /// Sends it; what comes back may still be on its way.
    pub(crate) async fn send(
        &self,
        token: Option<String>,
        abort: &AbortController,
    ) -> Result<Response, Failure> {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let content = self.body.as_ref().map(|_| "application/json");
        let headers =
            object(&[("authorization", text(authorization.as_deref())), ("content-type", text(content))]);
        let init = object(&[
            ("method", self.method.into()),
            ("headers", headers.into()),
            ("body", text(self.body.as_deref())),
            ("cache", "no-store".into()),
            ("credentials", "omit".into()),
            ("signal", abort.signal().into()),
        ]);
        let sent = fetch(&self.url, &init).map_err(|_| Failure::Unreachable)?;
        let response = JsFuture::from(sent).await.map_err(|_| Failure::Unreachable)?;
        response.dyn_into().map_err(|_| Failure::Unreachable)
    }
}

fn text(text: Option<&str>) -> JsValue {
    text.map_or(JsValue::UNDEFINED, JsValue::from_str)
}

/// An object of what is defined.
fn object(members: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_undefined()) {
        // Nothing keeps a new object from taking a member.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}
