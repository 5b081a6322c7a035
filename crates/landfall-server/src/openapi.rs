//! The description of the API, made of the handlers that answer: `routes!` registers both at once.
//!
//! What the core reads and writes is described in [`shapes`], since the core knows nothing of HTTP. Every answer of
//! the server's tests is held against the document.

pub(crate) mod shapes;

use std::collections::BTreeMap;

use landfall_core::code::Code;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr};

use crate::error::status;

/// What the document begins with; paths come from the handlers.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Landfall",
        description = "Offline-first sync. What the calls mean, and what a device does with the answers, is in \
            PROTOCOL.md. A path that is not named here is answered with `404 not_found`, a method that is not named \
            with `405 method_not_allowed`; both in the form of `Problem`. `HEAD` is answered where `GET` is.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(crate::error::Problem))
)]
pub(crate) struct Beginning;

/// The name under which tokens are described.
pub(crate) const TOKEN: &str = "token";

/// Where a token is needed.
pub(crate) const SIGNED: &[Code] = &[Code::InvalidToken, Code::TokenExpired, Code::Unavailable];
/// Where a body is read.
pub(crate) const BODY: &[Code] = &[
    Code::MalformedJson,
    Code::InvalidRequest,
    Code::TooDeep,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
];
/// Where the database is asked.
pub(crate) const STORE: &[Code] = &[Code::Unavailable, Code::StorageFull];

/// Names a type that stands for the refusals of one call, in `responses(…)`.
macro_rules! refusals {
    ($name:ident: $($codes:expr),* $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::response::Response>,
            > {
                $crate::openapi::refused_with(&[$($codes),*])
            }
        }
    };
}
pub(crate) use refusals;

/// One response for each status that these codes are answered with, which names them.
///
/// Whatever is asked, the answer may be `internal`.
pub(crate) fn refused_with(codes: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes.iter().copied().flatten().chain(&[Code::Internal]) {
        let status = status(*code).expect("BUG: a code that no request is refused with");
        let known = by_status.entry(status.as_u16()).or_default();
        if !known.contains(code) {
            known.push(*code);
        }
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), refusal(status, &codes).into()))
        .collect()
}

fn refusal(status: u16, codes: &[Code]) -> Response {
    let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let narrowed = ObjectBuilder::new()
        .property("code", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.clone())))
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status])));
    let body = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrowed);
    let mut response = ResponseBuilder::new().description(format!("`{}`", names.join("`, `"))).content(
        "application/problem+json",
        ContentBuilder::new().schema(Some(RefOr::T(body.build().into()))).build(),
    );
    if status == 401 {
        response = response.header("WWW-Authenticate", text("How to sign in."));
    }
    response.build()
}

/// Adds to the paths what is true of all of them.
pub(crate) fn complete(mut api: OpenApi) -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("Names the user (`sub`), the tenant and the roles."));
    if let Some(components) = &mut api.components {
        components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer.build()));
    }
    for response in api.paths.paths.values_mut().flat_map(operations).flat_map(responses) {
        response
            .headers
            .insert("x-request-id".to_owned(), text("Names the request in the server's log.").into());
    }
    api
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = path;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

fn responses(operation: &mut Operation) -> impl Iterator<Item = &mut Response> {
    operation.responses.responses.values_mut().filter_map(|response| match response {
        RefOr::T(response) => Some(response),
        RefOr::Ref(_) => None,
    })
}

fn text(description: &str) -> utoipa::openapi::header::Header {
    let schema = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}
