//! Which exchange is treated how.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Treats the next exchanges of a kind in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What the path begins with.
    pub path: String,
    /// The method; any if left out.
    #[serde(default)]
    pub method: Option<String>,
    /// What the request's body holds; anything if left out. Asked only where no rule without it fits.
    #[serde(default)]
    pub holds: Option<String>,
    /// For how many exchanges; until it is cleared if left out.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
}

impl Rule {
    /// Before the body is there, `body` is `None`, and no rule that asks for something in it fits.
    fn fits(&self, method: &str, path: &str, body: Option<&[u8]>) -> bool {
        path.starts_with(&self.path)
            && self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.holds.as_deref().is_none_or(|wanted| body.is_some_and(|body| contains(body, wanted)))
    }
}

fn contains(body: &[u8], wanted: &str) -> bool {
    body.windows(wanted.len().max(1)).any(|part| part == wanted.as_bytes())
}

/// All rules, the first one that fits decides.
///
/// Invariant: a rule with `times` has at least one left; a used-up rule is gone, so that the next one
/// that fits has its turn.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    list: Vec<Rule>,
}

impl Rules {
    /// Adds a rule behind the others.
    pub(crate) fn push(&mut self, rule: Rule) {
        if rule.times != Some(0) {
            self.list.push(rule);
        }
    }

    /// Forgets the rules for exactly this path, or all of them.
    pub(crate) fn clear(&mut self, path: Option<&str>) {
        self.list.retain(|rule| path.is_some_and(|path| rule.path != path));
    }

    /// What is left.
    pub(crate) fn list(&self) -> &[Rule] {
        &self.list
    }

    /// Whether an exchange under way is to be ended; if so, counts it.
    pub(crate) fn ends(&mut self, method: &str, path: &str) -> bool {
        let fault = self.list.iter().find(|rule| rule.fits(method, path, None)).map(|rule| &rule.fault);
        let ends = matches!(fault, Some(Fault::Refuse | Fault::CutReply));
        if ends {
            self.take(method, path, None);
        }
        ends
    }

    /// Decides about an exchange, if a rule fits, and counts it.
    pub(crate) fn take(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Option<Fault> {
        let index = self.list.iter().position(|rule| rule.fits(method, path, body))?;
        let rule = &mut self.list[index];
        let fault = rule.fault.clone();
        if let Some(times) = &mut rule.times {
            *times -= 1;
            if *times == 0 {
                self.list.remove(index);
            }
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, times: Option<u32>, fault: Fault) -> Rule {
        Rule { path: path.to_owned(), method: None, holds: None, times, fault }
    }

    #[test]
    fn rules_take_turns_in_the_order_they_were_given() {
        let mut rules = Rules::default();
        rules.push(rule("/a", Some(2), Fault::Refuse));
        rules.push(rule("/a", Some(1), Fault::Pass));
        rules.push(rule("/", None, Fault::Portal));
        let taken: Vec<_> =
            (0..5).map(|_| rules.take("GET", "/a/b", None).expect("a rule fits").name()).collect();
        assert_eq!(taken, ["refuse", "refuse", "pass", "portal", "portal"]);
        assert_eq!(rules.list().len(), 1);
    }

    #[test]
    fn what_no_rule_fits_passes() {
        let mut rules = Rules::default();
        rules.push(Rule { method: Some("POST".to_owned()), ..rule("/a", None, Fault::Refuse) });
        assert_eq!(rules.take("GET", "/a", None), None);
        assert_eq!(rules.take("POST", "/b", None), None);
        assert_eq!(rules.take("POST", "/a", None), Some(Fault::Refuse));
    }

    #[test]
    fn a_rule_about_the_body_fits_nothing_before_the_body_is_there() {
        let mut rules = Rules::default();
        rules.push(Rule { holds: Some("marker".to_owned()), ..rule("/a", None, Fault::Portal) });
        assert_eq!(rules.take("POST", "/a", None), None);
        assert_eq!(rules.take("POST", "/a", Some(b"a mark")), None);
        assert_eq!(rules.take("POST", "/a", Some(b"a marker, and more")), Some(Fault::Portal));
        assert_eq!(rules.take("POST", "/b", Some(b"marker")), None);
    }

    #[test]
    fn only_a_rule_that_ends_exchanges_ends_one_under_way() {
        let mut rules = Rules::default();
        rules.push(rule("/a", Some(1), Fault::Portal));
        assert!(!rules.ends("GET", "/a"));
        rules.clear(None);
        rules.push(rule("/a", Some(1), Fault::CutReply));
        assert!(!rules.ends("GET", "/b"));
        assert!(rules.ends("GET", "/a"));
        assert!(!rules.ends("GET", "/a"), "the rule was for one exchange");
    }

    #[test]
    fn clearing_a_path_leaves_the_others() {
        let mut rules = Rules::default();
        rules.push(rule("/", None, Fault::Refuse));
        rules.push(rule("/c", None, Fault::Refuse));
        rules.push(rule("/c", Some(0), Fault::Portal));
        rules.clear(Some("/"));
        assert_eq!(rules.list(), [rule("/c", None, Fault::Refuse)]);
        rules.clear(None);
        assert_eq!(rules.list(), []);
    }
}
