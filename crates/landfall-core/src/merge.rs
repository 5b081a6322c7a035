//! Fields that merge in another way than by the last write, as an app and a server declare them.
//!
//! A declaration is consulted once, when a mutation enters: on the device before it is saved, on the
//! server before it is judged. From then on its fields say by themselves how they merge, and documents
//! need no declarations.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::id::NAME_BYTES_MAX;
use crate::json::{self, DEPTH_MAX, Json, KEYS_MAX, Shape};
use crate::map::Map;
use crate::mutation::{Change, Field, Op, Refusal};
use crate::path::Path;

/// How a field merges where the last write is not what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// A number that is only counted up and down: nobody's step is lost.
    Counter,
    /// A set: each element is in or out by itself, and what is seen is an array.
    Set,
    /// The greatest value that anybody wrote.
    Max,
    /// The smallest.
    Min,
}

/// The declared fields of a collection: names of top-level members.
pub type Merges = Map<Box<str>, Merge>;

/// Fields of a mutation in the form in which they merge.
///
/// Of what has entered before nothing is changed.
///
/// # Errors
/// [`Code::InvalidOperation`] for what the declared merge of a field does not have.
pub fn enter(op: Op, fields: Vec<Field>, merges: &Merges) -> Result<Vec<Field>, Refusal> {
    fields.into_iter().map(|field| enter_one(op, field, merges)).collect()
}

/// Whether fields are in the form in which they merge as they are: none of them is declared, or to be.
pub fn is_plain(fields: &[Field], merges: &Merges) -> bool {
    fields.iter().all(|field| {
        let declared = field.path.keys().first().is_some_and(|name| merges.contains_key(name));
        !declared && matches!(field.change, Change::Set(_) | Change::Unset)
    })
}

fn enter_one(op: Op, field: Field, merges: &Merges) -> Result<Field, Refusal> {
    let Field { path, change } = field;
    let declared = path.keys().first().and_then(|name| merges.get(name)).copied();
    let refused = |message: &str| Err(Refusal::at(Code::InvalidOperation, &path, message));
    let whole_field = path.keys().len() == 1;
    let change = match (declared, change) {
        (None, change @ (Change::Set(_) | Change::Unset)) => change,
        (None, _) => return refused("this field is not declared to merge in this way"),
        (Some(_), _) if !whole_field => return refused("this field merges as a whole"),
        (Some(Merge::Counter), change @ Change::Increment(_)) => change,
        (Some(Merge::Counter), Change::Set(start)) if op == Op::Create && start.as_whole().is_some() => {
            Change::Set(start)
        }
        (Some(Merge::Counter), _) => {
            return refused("a counter starts with a whole number and is only incremented from then on");
        }
        (Some(Merge::Set), Change::Add(value)) => Change::Add(element(&path, &value)?),
        (Some(Merge::Set), Change::Remove(value)) => Change::Remove(element(&path, &value)?),
        (Some(Merge::Set), Change::Unset) => Change::Unset,
        (Some(Merge::Set), Change::Set(value)) => match value.elements() {
            Some(elements) if elements.len() > KEYS_MAX => {
                let message = format!("more than {KEYS_MAX} elements");
                return Err(Refusal::at(Code::TooManyKeys, &path, message));
            }
            Some(elements) => {
                let mut sorted: Map<Box<str>, Json> = Map::new();
                for value in elements {
                    let element = element(&path, &value)?;
                    sorted.insert(element.text().into(), element);
                }
                Change::Set(Json::array(sorted.keys().map(|text| &**text)))
            }
            None => return refused("a set is written as an array"),
        },
        (Some(Merge::Max), Change::Set(value) | Change::Max(value)) if Rank::of(&value).is_some() => {
            Change::Max(value)
        }
        (Some(Merge::Min), Change::Set(value) | Change::Min(value)) if Rank::of(&value).is_some() => {
            Change::Min(value)
        }
        (Some(Merge::Set), _) => return refused("a set has elements to add and to remove"),
        (Some(Merge::Max | Merge::Min), _) => {
            return refused("only numbers and texts have an order; set one of them");
        }
    };
    Ok(Field { path, change })
}

/// An element in the spelling that tells it from others.
fn element(path: &Path, value: &Json) -> Result<Json, Refusal> {
    if Shape::of(value.text().as_bytes()).depth > DEPTH_MAX {
        return Err(Refusal::at(Code::TooDeep, path, format!("nested deeper than {DEPTH_MAX}")));
    }
    let element = value.canonical();
    // Its stamp is listed under a path that ends with its text.
    if Path::default().child(element.text()).to_string().len() > NAME_BYTES_MAX {
        let message = format!("an element of a set may have {} bytes", NAME_BYTES_MAX - 1);
        return Err(Refusal::at(Code::InvalidOperation, path, message));
    }
    Ok(element)
}

/// Which end of the order is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extreme {
    Max,
    Min,
}

impl Extreme {
    /// Whether `old` stays where `new` comes.
    pub(crate) fn prefers(self, old: &Json, new: &Json) -> bool {
        let Some(rank) = Rank::of(old) else { return false };
        // Of two spellings of one number one is taken, always the same.
        let order = Some(rank).cmp(&Rank::of(new)).then_with(|| old.text().cmp(new.text()));
        match self {
            Extreme::Max => order != Ordering::Less,
            Extreme::Min => order != Ordering::Greater,
        }
    }
}

/// A value's place in the order: numbers by size, then texts by their characters.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Negative(Reverse<Magnitude>),
    Zero,
    Positive(Magnitude),
    Text(String),
}

/// A number that is not zero: 0.`digits` times ten to the power of `exponent`, with no zero at either end of
/// the digits. Exact for any number; floating point would cost a page as much as all merging.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Magnitude {
    pub(crate) exponent: i64,
    pub(crate) digits: String,
}

impl Rank {
    fn of(value: &Json) -> Option<Rank> {
        let text = value.text();
        match text.as_bytes().first()? {
            b'"' => json::read(text).ok().map(Rank::Text),
            b'-' => Some(Magnitude::of(&text[1..]).map_or(Rank::Zero, |m| Rank::Negative(Reverse(m)))),
            b'0'..=b'9' => Some(Magnitude::of(text).map_or(Rank::Zero, Rank::Positive)),
            _ => None,
        }
    }
}

impl Magnitude {
    /// `None` for zero.
    pub(crate) fn of(number: &str) -> Option<Magnitude> {
        let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        // Far beyond any document's length, powers only have to keep their sign.
        let bound = if power.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let power = power.parse().unwrap_or(bound).clamp(i64::MIN / 2, i64::MAX / 2);
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [integer, fraction].concat();
        let significant = digits.trim_start_matches('0');
        let leading = digits.len() - significant.len();
        let exponent = power + integer.len() as i64 - leading as i64;
        let digits = significant.trim_end_matches('0');
        (!digits.is_empty()).then(|| Magnitude { exponent, digits: digits.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    fn entered(op: Op, path: &str, change: Change) -> Result<Change, Code> {
        let names = [("n", Merge::Counter), ("s", Merge::Set), ("max", Merge::Max), ("min", Merge::Min)];
        let merges: Merges = names.into_iter().map(|(name, merge)| (name.into(), merge)).collect();
        let fields = vec![Field { path: path.parse().unwrap(), change }];
        let entered = enter(op, fields, &merges).map_err(|refusal| refusal.code)?.remove(0);
        let again = enter(op, vec![entered.clone()], &merges).unwrap().remove(0);
        assert_eq!(again, entered, "what has entered is not changed again");
        Ok(entered.change)
    }

    #[test]
    fn every_field_takes_what_its_merge_has_and_nothing_else() {
        let refused = Err(Code::InvalidOperation);
        let set = |text: &str| Change::Set(json(text));
        assert_eq!(entered(Op::Patch, "/a/b", set("1")), Ok(set("1")));
        assert_eq!(entered(Op::Patch, "/a", Change::Increment(1)), refused);
        assert_eq!(entered(Op::Patch, "/a", Change::Add(json("1"))), refused);
        assert_eq!(entered(Op::Patch, "/a", Change::Max(json("1"))), refused);

        assert_eq!(entered(Op::Patch, "/n", Change::Increment(-2)), Ok(Change::Increment(-2)));
        assert_eq!(entered(Op::Create, "/n", set("5")), Ok(set("5")));
        for (op, change) in [
            (Op::Patch, set("5")),
            (Op::Patch, Change::Unset),
            (Op::Create, set("0.5")),
            (Op::Create, set("null")),
            (Op::Patch, Change::Add(json("1"))),
        ] {
            assert_eq!(entered(op, "/n", change), refused);
        }
        assert_eq!(entered(Op::Patch, "/n/x", set("1")), refused);

        let blanks = json(r#"{ "b": 1, "a": "\u00e4" }"#);
        let plain = json(r#"{"a":"ä","b":1}"#);
        assert_eq!(entered(Op::Patch, "/s", Change::Add(blanks)), Ok(Change::Add(plain)));
        assert_eq!(entered(Op::Create, "/s", set(r#"["b", "a", "b"]"#)), Ok(set(r#"["a","b"]"#)));
        assert_eq!(entered(Op::Patch, "/s", Change::Unset), Ok(Change::Unset));
        assert_eq!(entered(Op::Patch, "/s", set("1")), refused);
        assert_eq!(entered(Op::Patch, "/s", Change::Increment(1)), refused);
        let long = |length: usize| Change::Add(json(&format!("{:?}", "x".repeat(length))));
        assert_eq!(entered(Op::Patch, "/s", long(253)), Ok(long(253)));
        assert_eq!(entered(Op::Patch, "/s", long(254)), refused);
        let deep = |depth: usize| Change::Add(json(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))));
        assert_eq!(entered(Op::Patch, "/s", deep(DEPTH_MAX)), Ok(deep(DEPTH_MAX)));
        for depth in [DEPTH_MAX + 1, 9_999] {
            assert_eq!(entered(Op::Patch, "/s", deep(depth)), Err(Code::TooDeep));
        }

        assert_eq!(entered(Op::Create, "/max", set("1")), Ok(Change::Max(json("1"))));
        assert_eq!(entered(Op::Patch, "/min", set(r#""2026""#)), Ok(Change::Min(json(r#""2026""#))));
        assert_eq!(entered(Op::Patch, "/min", Change::Max(json("1"))), refused);
        assert_eq!(entered(Op::Patch, "/max", set("null")), refused);
        assert_eq!(entered(Op::Patch, "/min", set("null")), refused);
        assert_eq!(entered(Op::Patch, "/max", Change::Unset), refused);
        for (path, change) in
            [("/s/x", Change::Unset), ("/max/x", set("1")), ("/min/x", Change::Min(json("1")))]
        {
            assert_eq!(entered(Op::Patch, path, change), refused, "a declared field merges as a whole");
        }
    }

    #[test]
    fn fields_are_plain_where_nothing_is_declared_or_to_be() {
        let merges: Merges = [("n".into(), Merge::Counter)].into();
        let plain = |fields: &[(&str, Change)]| {
            let fields = fields
                .iter()
                .map(|(path, change)| Field { path: path.parse().unwrap(), change: change.clone() });
            is_plain(&fields.collect::<Vec<_>>(), &merges)
        };
        let set = || Change::Set(json("1"));
        assert!(plain(&[("/a", set()), ("/b/n", Change::Unset)]) && plain(&[]));
        assert!(!plain(&[("/a", set()), ("/n", set())]) && !plain(&[("/n/x", Change::Unset)]));
        assert!(!plain(&[("/a", Change::Increment(1))]) && !plain(&[("/a", Change::Max(json("1")))]));
    }

    #[test]
    fn numbers_are_ordered_by_size_and_stand_before_texts() {
        let ascending = [
            "-1e400",
            "-12",
            "-1.5",
            "-1",
            "-1e-400",
            "0",
            "1e-99999999999999999999",
            "0.09",
            "0.5",
            "1.0e0",
            "1.25",
            "9",
            "10",
            "1e2",
            "123456789012345678901234567890",
            "1e99999999999999999999",
            r#""""#,
            r#""10""#,
            r#""9""#,
            r#""ä""#,
        ];
        for pair in ascending.windows(2) {
            assert!(Extreme::Min.prefers(&json(pair[0]), &json(pair[1])), "{pair:?}");
            assert!(!Extreme::Max.prefers(&json(pair[0]), &json(pair[1])), "{pair:?}");
        }
        assert!(Rank::of(&json("-0.00")) == Rank::of(&json("0e5")));
        assert!(Rank::of(&json("1.50e1")) == Rank::of(&json("15")));
    }

    proptest! {
        /// The order of numbers is that of floating point, wherever that can tell two apart.
        #[test]
        fn the_order_of_numbers_is_the_usual_one(a in -1e6f64..1e6, b in -1e6f64..1e6, scale in -8i32..8) {
            let b = b * 10f64.powi(scale);
            let rank = |n: f64| Rank::of(&json(&n.to_string()));
            prop_assert_eq!(Some(rank(a).cmp(&rank(b))), a.partial_cmp(&b));
        }
    }
}
