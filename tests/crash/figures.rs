//! What a run has come to.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::check::{Finding, Wrong};

/// Counts, and prints them.
pub(crate) struct Figures {
    begun: Instant,
    /// By how servers have died: how often they were to, and how often they did.
    deaths: BTreeMap<&'static str, (usize, usize)>,
    pub(crate) writes: usize,
    pub(crate) refused: usize,
    pub(crate) duplicates: usize,
    findings: BTreeMap<Wrong, usize>,
}

impl Figures {
    pub(crate) fn new() -> Figures {
        let (deaths, findings) = (BTreeMap::new(), BTreeMap::new());
        Figures { begun: Instant::now(), deaths, writes: 0, refused: 0, duplicates: 0, findings }
    }

    /// A server was to die in this way, and has, or was killed when its time was up.
    pub(crate) fn died(&mut self, how: &'static str, has: bool) {
        let (wanted, reached) = self.deaths.entry(how).or_default();
        *wanted += 1;
        *reached += usize::from(has);
    }

    pub(crate) fn found(&mut self, findings: &[Finding]) {
        for finding in findings {
            *self.findings.entry(finding.wrong).or_default() += 1;
        }
    }

    pub(crate) fn print(&self, store: &str) {
        let kills: usize = self.deaths.values().map(|(wanted, _)| wanted).sum();
        println!("{store}: {kills} kills in {:.1} s", self.begun.elapsed().as_secs_f64());
        for (how, (wanted, reached)) in &self.deaths {
            let late = wanted - reached;
            let late =
                if late == 0 { String::new() } else { format!(", {late} of them before they came to it") };
            println!("  {how:<20} {wanted:>6}{late}");
        }
        let Figures { writes, refused, duplicates, .. } = self;
        println!(
            "  {writes} writes saved, {refused} refused as they should be, {duplicates} answers given again"
        );
        let found = |wrong| self.findings.get(&wrong).copied().unwrap_or(0);
        let [lost, doubled, stuck, unequal] =
            [Wrong::Lost, Wrong::Doubled, Wrong::Stuck, Wrong::Unequal].map(found);
        println!("  {lost} lost, {doubled} doubled, {stuck} stuck, {unequal} unequal");
    }
}
