//! Who sits before the devices, and what each of them may do.
//!
//! A token says who somebody is and which rights they have; here it is as good as new with every request, so the rights
//! of a [`Person`] are what the server goes by.

use std::collections::BTreeSet;

use landfall_core::id::User;

use crate::chance::Chance;

/// Names a person.
pub type PersonId = usize;

/// Sites that documents and people belong to.
pub const SITES: usize = 3;

/// What a token says that somebody may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rights {
    /// They may write.
    pub worker: bool,
    /// They may see and write everything.
    pub coordinator: bool,
    /// They may see what belongs to these.
    pub sites: BTreeSet<usize>,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their place in the list of all people.
    pub id: PersonId,
    /// Their name.
    pub user: User,
    /// The organisation that they belong to.
    pub tenant: usize,
    /// What they may do now.
    pub rights: Rights,
}

impl Person {
    /// The first of all people, who may write and has no site.
    pub fn alone() -> Person {
        Person {
            id: 0,
            user: name(0),
            tenant: 0,
            rights: Rights { worker: true, coordinator: false, sites: BTreeSet::new() },
        }
    }

    /// People of so many organisations, who may do different things.
    pub fn several(people: usize, tenants: usize, chance: &mut Chance) -> Vec<Person> {
        let of = |id: PersonId| {
            let worker = !chance.one_in(8);
            let coordinator = chance.one_in(6);
            let sites = (0..SITES).filter(|_| chance.one_in(3)).collect();
            Person { id, user: name(id), tenant: id % tenants, rights: Rights { worker, coordinator, sites } }
        };
        (0..people).map(of).collect()
    }
}

fn name(id: PersonId) -> User {
    format!("u_{}", 17 + id).parse().expect("BUG: a name that is none")
}
