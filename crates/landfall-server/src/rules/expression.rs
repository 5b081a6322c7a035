//! Expressions of the Common Expression Language (cel.dev) over `document`, `previous` and `user`.
//!
//! CEL is not Turing-complete and has no side effects: an expression always ends, and what it says
//! depends on nothing but these three.

use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, Env, ExecutionError, Program, Value};
use landfall_core::json::Json;

use super::names;
use crate::caller::Caller;

const NAMES: [&str; 3] = ["document", "previous", "user"];

/// What expressions are written in: CEL with its functions on strings.
pub(super) struct Language(Arc<Env>);

impl Language {
    pub(super) fn new() -> Arc<Language> {
        let mut env = Env::stdlib();
        env.add_extension(cel::extensions::strings).expect("BUG: CEL's own functions clash");
        Arc::new(Language(Arc::new(env)))
    }

    /// Whether anything of this name can be called, on whatever arguments.
    fn has_function(&self, name: &str) -> bool {
        let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
        let answers = |call: String| {
            let outcome =
                self.0.compile(&call).map(|program| program.execute(&Context::with_env(self.0.clone())));
            !matches!(outcome, Ok(Err(ExecutionError::UndeclaredReference(_))))
        };
        is_operator || answers(format!("{name}()")) || answers(format!("''.{name}()"))
    }
}

/// Who an expression is asked about.
pub(super) struct Subject {
    user: Value,
    id: String,
}

impl Subject {
    pub(super) fn new(caller: &Caller) -> Subject {
        let roles: Vec<Value> = caller.roles.iter().map(|role| Value::from(role.as_str())).collect();
        let user = HashMap::from([
            ("id", Value::from(caller.user.as_str())),
            ("tenant", Value::from(caller.tenant.as_str())),
            ("roles", Value::List(Arc::new(roles))),
        ]);
        Subject { user: user.into(), id: caller.user.to_string() }
    }
}

/// A compiled expression.
pub(super) struct Expression {
    /// Where in the configuration it is.
    place: String,
    program: Program,
    language: Arc<Language>,
    sees: Sees,
}

/// Which of the two documents an expression mentions; the other need not be parsed.
#[derive(Clone, Copy)]
struct Sees {
    document: bool,
    previous: bool,
}

impl Expression {
    /// Compiles an expression and tries it out, so that what can be known to be wrong is known at once.
    pub(super) fn compile(language: &Arc<Language>, place: &str, text: &str) -> Result<Expression, String> {
        let wrong = |reason: String| format!("{place}: {reason}");
        let program = language.0.compile(text).map_err(|errors| {
            let first = errors.to_string();
            wrong(first.lines().next().unwrap_or("not an expression").to_owned())
        })?;
        if let Some(name) = names::unknown(program.expression(), &NAMES) {
            return Err(wrong(format!("`{name}` is none of {}", NAMES.join(", "))));
        }
        let references = program.references();
        if let Some(name) = references.functions().into_iter().find(|name| !language.has_function(name)) {
            return Err(wrong(format!("there is no function `{name}`")));
        }
        let sees = Sees {
            document: references.has_variable("document"),
            previous: references.has_variable("previous"),
        };
        let expression = Expression { place: place.to_owned(), language: language.clone(), sees, program };
        match expression.evaluate(Value::Null, Value::Null, Value::Null) {
            // Failing on nothing at all says nothing about real documents.
            Ok(Value::Bool(_)) | Err(_) => Ok(expression),
            Ok(_) => Err(wrong("must say true or false".to_owned())),
        }
    }

    /// Whether the answer can differ from document to document.
    pub(super) fn looks_at_documents(&self) -> bool {
        self.sees.document || self.sees.previous
    }

    /// Whether the expression says yes. Where it fails, that is a no and a line in the log.
    pub(super) fn holds(&self, subject: &Subject, document: Option<&Json>, previous: Option<&Json>) -> bool {
        let [document, previous] = [(document, self.sees.document), (previous, self.sees.previous)]
            .map(|(json, seen)| json.filter(|_| seen).map_or(Ok(Value::Null), value));
        let outcome = match (document, previous) {
            (Ok(document), Ok(previous)) => {
                self.evaluate(document, previous, subject.user.clone()).map_err(|error| error.to_string())
            }
            (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
        };
        match outcome {
            Ok(Value::Bool(answer)) => answer,
            Ok(_) => {
                tracing::warn!(expression = self.place, user = subject.id, "neither true nor false");
                false
            }
            // The error may quote the document, which has no place in a log.
            Err(_) => {
                tracing::warn!(expression = self.place, user = subject.id, "failed, which counts as a no");
                false
            }
        }
    }

    fn evaluate(&self, document: Value, previous: Value, user: Value) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(self.language.0.clone());
        for (name, value) in NAMES.into_iter().zip([document, previous, user]) {
            context.add_variable_from_value(name, value);
        }
        self.program.execute(&context)
    }
}

/// A document as CEL sees it.
fn value(json: &Json) -> Result<Value, serde_json::Error> {
    serde_json::from_str(json.text()).map(from_json)
}

fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(bool),
        // Literals in expressions are signed; an unsigned number would equal none of them.
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(float)) => Value::Float(float),
            (None, None) => Value::Null,
        },
        Json::String(text) => Value::String(Arc::new(text)),
        Json::Array(items) => Value::List(Arc::new(items.into_iter().map(from_json).collect())),
        Json::Object(members) => {
            let members: HashMap<String, Value> =
                members.into_iter().map(|(key, value)| (key, from_json(value))).collect();
            members.into()
        }
    }
}
