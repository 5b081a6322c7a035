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
    auditors: Option<Expression>,
}

impl Staff {
    pub(crate) fn build(
        operators: Option<Spanned<String>>,
        auditors: Option<Spanned<String>>,
    ) -> Result<Staff, Mistake> {
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
        Ok(Staff { operators: compile("operators", operators)?, auditors: compile("auditors", auditors)? })
    }

    /// Whether the caller may see the devices of their tenant.
    pub fn operates(&self, caller: &Caller) -> bool {
        is_among(self.operators.as_ref(), caller)
    }

    /// Whether the caller may read who settled what, and what was erased.
    pub fn audits(&self, caller: &Caller) -> bool {
        is_among(self.auditors.as_ref(), caller)
    }
}

fn is_among(staff: Option<&Expression>, caller: &Caller) -> bool {
    staff.is_some_and(|expression| expression.holds(&Subject::new(caller), None, None))
}
