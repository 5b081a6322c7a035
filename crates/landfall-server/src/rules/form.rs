//! Normal forms: how texts of a field are written, so that what is the same looks the same.
//!
//! Only what is certain is changed. What cannot be read as what it should be stays as it is, for the schema to refuse.

use landfall_core::authority::Mended;
use landfall_core::json::{self, Json};
use landfall_core::mutation::{Change, Field};
use serde::Deserialize;

/// A form that a text is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    /// Without white space at its ends.
    Trim,
    /// In lower case.
    Lowercase,
    /// In upper case.
    Uppercase,
    /// A phone number with its country as in E.164: `+49 (0)30 12 34-56` is `+4930123456`.
    Phone,
    /// A day as `2026-12-01`: also from `2026/12/1` and `1.12.2026`. `1/12/2026` is one day here and another one
    /// there, and stays.
    Date,
}

impl Form {
    fn apply(self, text: &str) -> Option<String> {
        match self {
            Form::Trim => Some(text.trim().to_owned()),
            Form::Lowercase => Some(text.to_lowercase()),
            Form::Uppercase => Some(text.to_uppercase()),
            Form::Phone => phone(text),
            Form::Date => date(text),
        }
    }

    fn done(self) -> &'static str {
        match self {
            Form::Trim => "spaces at the ends removed",
            Form::Lowercase => "written in lower case",
            Form::Uppercase => "written in upper case",
            Form::Phone => "phone number written with its country and without spaces",
            Form::Date => "date written as year-month-day",
        }
    }
}

/// Brings the fields of a mutation to the forms that are wanted of them, where any of them is not in it.
pub(super) fn mend<'a>(fields: &[Field], forms: impl Fn(&str) -> &'a [Form]) -> Option<Mended> {
    let mut mended: Option<Mended> = None;
    for (at, field) in fields.iter().enumerate() {
        let ([name], Change::Set(value)) = (field.path.keys(), &field.change) else { continue };
        let Ok(text) = json::read::<String>(value.text()) else { continue };
        let mut now = text.clone();
        let mut done = Vec::new();
        for form in forms(name) {
            if let Some(new) = form.apply(&now).filter(|new| *new != now) {
                now = new;
                done.push(form.done());
            }
        }
        if now == text {
            continue;
        }
        let all = mended.get_or_insert_with(|| Mended {
            fields: fields.to_vec(),
            first: field.path.clone(),
            changes: String::new(),
        });
        all.fields[at].change = Change::Set(Json::string(&now));
        let separator = if all.changes.is_empty() { "" } else { "; " };
        all.changes.push_str(&format!("{separator}{}: {}", field.path, done.join(", ")));
    }
    mended
}

fn phone(text: &str) -> Option<String> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')');
    let text = text.trim();
    let number = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    // A zero in brackets is for those who call from within the country.
    let number: String = number.replace("(0)", "").chars().filter(|c| !is_between(*c)).collect();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("+{number}"))
}

fn date(text: &str) -> Option<String> {
    let text = text.trim();
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    let parts: Vec<&str> = text.split(separator).collect();
    let [year, month, day] = match (separator, parts.as_slice()) {
        ('-' | '/' | '.', [year, month, day]) if year.len() == 4 => [year, month, day],
        ('.', [day, month, year]) if year.len() == 4 => [year, month, day],
        (_, _) => return None,
    };
    let number = |part: &str, digits: usize, most: u32| {
        let is_short = (1..=digits).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u32>().ok().filter(|number| is_short && (1..=most).contains(number))
    };
    let (year, month) = (number(year, 4, 9_999)?, number(month, 2, 12)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    Some(format!("{year:04}-{month:02}-{:02}", number(day, 2, days)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_brought_to_its_form_and_anything_else_stays() {
        let phone = |text: &str| Form::Phone.apply(text);
        assert_eq!(phone("+49 (0)30 12 34-56").as_deref(), Some("+4930123456"));
        assert_eq!(phone(" 0049.30/123456 ").as_deref(), Some("+4930123456"));
        assert_eq!(phone("030 123456"), None, "of which country");
        assert_eq!(phone("+49 ask Ada"), None);
        let date = |text: &str| Form::Date.apply(text);
        for text in ["2026-12-01", "2026-12-1", "2026/12/1", "1.12.2026", " 01.12.2026 "] {
            assert_eq!(date(text).as_deref(), Some("2026-12-01"), "{text}");
        }
        assert_eq!(date("29.2.2028").as_deref(), Some("2028-02-29"));
        for text in ["29.2.2026", "31.4.2026", "2026-0001-01"] {
            assert_eq!(date(text), None, "{text}");
        }
        for text in ["1/12/2026", "1.12.26", "32.12.2026", "1.13.2026", "2026-12", "soon", "", "2026-12-01-1"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_changed_is_told_field_by_field() {
        let set = |path: &str, text: &str| Field {
            path: path.parse().expect("a path"),
            change: Change::Set(Json::string(text)),
        };
        let forms = |name: &str| -> &[Form] {
            match name {
                "name" => &[Form::Trim],
                "email" => &[Form::Trim, Form::Lowercase],
                _ => &[],
            }
        };
        let fields =
            [set("/name", " Ada "), set("/notes", " as they are "), set("/email", "ADA@EXAMPLE.ORG ")];
        let mended = mend(&fields, forms).expect("something to mend");
        assert_eq!(
            mended.fields,
            [set("/name", "Ada"), set("/notes", " as they are "), set("/email", "ada@example.org")]
        );
        assert_eq!(mended.first.to_string(), "/name");
        let changes =
            "/name: spaces at the ends removed; /email: spaces at the ends removed, written in lower case";
        assert_eq!(mended.changes, changes);
        assert_eq!(mend(&mended.fields, forms), None, "what is in its form stays as it is");
    }
}
