//! What people did and what broke, one thing after the other, so that some of it can be left out.
//!
//! Each deed keeps the chance that it had in the whole story, and what comes after it its distance: so leaving
//! one out changes no other.

use std::collections::BTreeSet;

use landfall_core::time::Millis;

use crate::chance::Chance;

/// Which of two lists a deed is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A user did it.
    Act,
    /// It broke.
    Disaster,
}

#[derive(Clone, Debug, Default)]
struct List {
    /// The chance of each deed, and how long it was until the next.
    deeds: Vec<(Chance, Millis)>,
    next: usize,
}

/// The deeds of a story in their order.
#[derive(Clone, Debug, Default)]
pub struct Script {
    acts: List,
    disasters: List,
    left_out: BTreeSet<(Kind, usize)>,
}

impl Script {
    fn list(&mut self, kind: Kind) -> &mut List {
        match kind {
            Kind::Act => &mut self.acts,
            Kind::Disaster => &mut self.disasters,
        }
    }

    /// The next deed begins: gives its chance, and nothing where it is left out.
    pub fn begin(&mut self, kind: Kind, chance: &Chance) -> Option<Chance> {
        let list = self.list(kind);
        let at = list.next;
        list.next += 1;
        let own = list.deeds.get(at).map_or(chance, |(own, _)| own).clone();
        if at == list.deeds.len() {
            list.deeds.push((own.clone(), Millis(0)));
        }
        (!self.left_out.contains(&(kind, at))).then_some(own)
    }

    /// It is over, and so long it is until the next: as long as it was in the whole story.
    pub fn end(&mut self, kind: Kind, rest: Millis) -> Millis {
        let list = self.list(kind);
        let last = &mut list.deeds[list.next - 1].1;
        if *last == Millis(0) {
            *last = rest;
        }
        *last
    }

    /// All deeds that are not left out.
    pub fn deeds(&self) -> Vec<(Kind, usize)> {
        let acts = (0..self.acts.next).map(|at| (Kind::Act, at));
        let all = acts.chain((0..self.disasters.next).map(|at| (Kind::Disaster, at)));
        all.filter(|deed| !self.left_out.contains(deed)).collect()
    }

    /// The same script from its beginning, without these deeds.
    #[must_use]
    pub fn without(&self, deeds: &[(Kind, usize)]) -> Script {
        let mut script = self.clone();
        (script.acts.next, script.disasters.next) = (0, 0);
        script.left_out.extend(deeds.iter().copied());
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three deeds of a script; gives the chance and the rest of each.
    fn live(script: &mut Script, mut chance: Chance) -> Vec<(Option<u64>, Millis)> {
        let mut deed = || {
            let own = script.begin(Kind::Act, &chance);
            let happened = own.map(|own| {
                chance = own;
                chance.bits()
            });
            (happened, script.end(Kind::Act, Millis(1 + chance.bits() % 1_000)))
        };
        (0..3).map(|_| deed()).collect()
    }

    #[test]
    fn a_deed_that_is_left_out_changes_neither_the_chance_nor_the_time_of_another() {
        let mut whole = Script::default();
        let lived = live(&mut whole, Chance::new(1, 1));
        let mut rest = whole.without(&[(Kind::Act, 1)]);
        assert_eq!(live(&mut rest, Chance::new(2, 2)), [lived[0], (None, lived[1].1), lived[2]]);
        assert_eq!(rest.deeds(), [(Kind::Act, 0), (Kind::Act, 2)]);
    }
}
