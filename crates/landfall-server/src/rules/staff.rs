//! Who looks after the server, and may see what is nobody's document: an expression over `user` for each task.
//!
//! Where there is none, nobody may.

use serde_saphyr::Spanned;

use super::expression::{Expression, Language, Subject};
use crate::caller::Caller;
use crate::config::Mistake;

/// Who may do what beside documents.
#[derive(Default)]
pub struct Staff {
    operators: Option<Expression>,
}

impl Staff {
    pub(crate) fn build(operators: Option<Spanned<String>>) -> Result<Staff, Mistake> {
        let language = Language::new();
        let compile = |place: &str, text: Option<Spanned<String>>| {
            let Some(text) = text else { return Ok(None) };
            let expression = Expression::compile(&language, place, &text.value);
            let expression = expression.map_err(|reason| Mistake::at(&text, reason))?;
            if expression.looks_at_documents() {
                return Err(Mistake::at(&text, format!("{place}: there is no document, only `user`")));
            }
            Ok(Some(expression))
        };
        Ok(Staff { operators: compile("operators", operators)? })
    }

    /// Whether the caller may see the devices of their tenant.
    pub fn operates(&self, caller: &Caller) -> bool {
        let says_yes = |expression: &Expression| expression.holds(&Subject::new(caller), None, None);
        self.operators.as_ref().is_some_and(says_yes)
    }
}
