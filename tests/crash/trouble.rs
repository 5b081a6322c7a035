//! What is done to a server in one of its lives, which ends by SIGKILL or as abruptly.

use landfall_tests::chance::Chance;

/// How a life goes, and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// It is killed at any moment.
    AnyMoment,
    /// … while it may still be starting.
    Starting,
    /// It dies where it was told to.
    Point(&'static str),
    /// Its connections to PostgreSQL are ended under its hands, again and again, and then it is killed.
    Terminated,
    /// There is no room left on its disk for a while; it is killed before that or after.
    Full,
    /// Its disk fails now and then; it is killed before that ends or after.
    Failing,
}

/// Points in a push. How often one is passed before the process dies there is drawn from below the number.
const IN_PUSH: [(&str, u64); 4] =
    [("after_begin", 12), ("after_apply", 12), ("before_commit", 8), ("after_commit", 8)];
const IN_MIGRATION: &str = "in_migration";
const IN_PRUNING: &str = "in_pruning";

impl Trouble {
    /// Draws one.
    pub(crate) fn draw(chance: &mut Chance, is_file: bool) -> Trouble {
        match chance.below(20) {
            0..4 => Trouble::AnyMoment,
            4 => Trouble::Starting,
            5..14 => Trouble::Point(chance.of(&IN_PUSH).0),
            14..16 => Trouble::Point(IN_MIGRATION),
            16 => Trouble::Point(IN_PRUNING),
            17 | 18 if is_file => Trouble::Full,
            _ if is_file => Trouble::Failing,
            _ => Trouble::Terminated,
        }
    }

    /// Its name in the summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Trouble::AnyMoment => "at any moment",
            Trouble::Starting => "while starting",
            Trouble::Point(name) => name,
            Trouble::Terminated => "backends terminated",
            Trouble::Full => "disk full",
            Trouble::Failing => "disk failing (EIO)",
        }
    }

    /// What the server is told, where it is told to die.
    pub(crate) fn fault(self, chance: &mut Chance) -> Option<String> {
        let Trouble::Point(name) = self else { return None };
        let below = match name {
            // After the step, before the commit, after it.
            IN_MIGRATION => 3,
            IN_PRUNING => 2,
            _ => IN_PUSH.iter().find(|(point, _)| *point == name).map_or(1, |(_, below)| *below),
        };
        Some(format!("{name}:{}", 1 + chance.below(below)))
    }

    /// Whether tables of an earlier version are put in its way.
    pub(crate) fn migrates(self) -> bool {
        self == Trouble::Point(IN_MIGRATION)
    }

    /// Whether there is something old to be forgotten.
    pub(crate) fn prunes(self) -> bool {
        self == Trouble::Point(IN_PRUNING)
    }
}
