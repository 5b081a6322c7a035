//! Which names an expression mentions that nobody has declared: typing errors, found before they refuse
//! somebody's write.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr};

/// The first name in `expression` that is neither known nor introduced by the expression itself.
pub(super) fn unknown<'a>(expression: &'a IdedExpr, known: &[&'a str]) -> Option<&'a str> {
    let entry = |entry: &'a EntryExpr| match entry {
        EntryExpr::StructField(field) => unknown(&field.value, known),
        EntryExpr::MapEntry(pair) => unknown(&pair.key, known).or_else(|| unknown(&pair.value, known)),
    };
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) => None,
        // The parser's own names begin with a sign that no other can have.
        Expr::Ident(name) => (!known.contains(&name.as_str()) && !name.starts_with('@')).then_some(name),
        Expr::Select(select) => unknown(&select.operand, known),
        Expr::Call(call) => {
            call.target.iter().map(|target| &**target).chain(&call.args).find_map(|part| unknown(part, known))
        }
        Expr::List(list) => list.elements.iter().find_map(|element| unknown(element, known)),
        Expr::Map(map) => map.entries.iter().find_map(|part| entry(&part.expr)),
        Expr::Struct(parts) => parts.entries.iter().find_map(|part| entry(&part.expr)),
        Expr::Comprehension(each) => {
            let mut inside = known.to_vec();
            inside.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
            inside.extend(each.iter_var2.as_deref());
            unknown(&each.iter_range, known)
                .or_else(|| unknown(&each.accu_init, known))
                .or_else(|| unknown(&each.loop_cond, &inside))
                .or_else(|| unknown(&each.loop_step, &inside))
                .or_else(|| unknown(&each.result, &inside))
        }
    }
}
