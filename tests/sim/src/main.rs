//! Runs seeds and says what came of them. `cargo xtask sim` is the way in.

use std::process::ExitCode;
use std::time::Instant;

use landfall_sim::mark::Marks;
use landfall_sim::planted::{self, Bug};
use landfall_sim::shrink::shrink;
use landfall_sim::story::{Story, tell, tell_in};

/// As many seeds as must have seen every disaster.
const ENOUGH: u64 = 2_000;
/// Most violations that are told.
const TOLD: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &String| text.parse::<u64>().ok();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).and_then(number)
    };
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let seed = arguments.first().and_then(number);
    let from = value("--from").or(seed).unwrap_or(0);
    let traced = flag("--trace");
    if !traced {
        // What a seed panics with is part of its report.
        std::panic::set_hook(Box::new(|_| {}));
    }
    match seed {
        _ if flag("--planted") => find_planted(from, value("--seeds").unwrap_or(1_000)),
        Some(seed) if flag("--shrink") => shrunk(seed),
        Some(_) | None => {
            run(from, value("--seeds").unwrap_or(if seed.is_some() { 1 } else { ENOUGH }), traced)
        }
    }
}

/// Looks for the first seed that finds each planted bug, and nothing without it.
fn find_planted(from: u64, seeds: u64) -> ExitCode {
    let mut missed = 0;
    for bug in Bug::ALL {
        let finds = |seed: &u64| {
            planted::choose(Some(*bug));
            let with = tell(*seed, false).violation.is_some();
            planted::choose(None);
            with && tell(*seed, false).violation.is_none()
        };
        match (from..from + seeds).find(finds) {
            Some(seed) => println!("{bug:?} caught {seed}"),
            None => {
                missed += 1;
                println!("{bug:?} missed {seeds}");
            }
        }
    }
    println!("planted={} missed={missed}", Bug::ALL.len());
    // One in twenty may need more seeds than these.
    if missed * 20 > Bug::ALL.len() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Tells the story of the smallest world in which a seed breaks what it breaks.
fn shrunk(seed: u64) -> ExitCode {
    let story = tell(seed, false);
    let Some(found) = &story.violation else {
        println!("seed {seed} breaks nothing");
        return ExitCode::SUCCESS;
    };
    println!("seed {seed}: {:?}: {}", found.invariant, found.what);
    let swarm = shrink(seed, &story);
    let smallest = tell_in(seed, swarm, true);
    smallest.lines.iter().for_each(|line| println!("{line}"));
    ExitCode::FAILURE
}

fn run(first: u64, seeds: u64, traced: bool) -> ExitCode {
    let begun = Instant::now();
    let (mut marks, mut mutations, mut events, mut hash) = (Marks::default(), 0, 0, 0u64);
    let (mut violations, mut stuck, mut told) = (0, 0, 0);
    for seed in first..first + seeds {
        let Story { violation, marks: seen, lines, .. } = {
            let story = tell(seed, traced);
            mutations += story.mutations;
            events += story.events;
            hash = hash.rotate_left(1) ^ story.hash;
            story
        };
        marks.add(&seen);
        lines.iter().for_each(|line| println!("{line}"));
        if let Some(found) = violation {
            let is_stuck = found.invariant == landfall_sim::check::Invariant::Stuck;
            stuck += u64::from(is_stuck);
            violations += 1;
            told += 1;
            if told <= TOLD {
                let what: String = found.what.chars().take(600).collect();
                println!("seed {seed}: {:?}: {what}", found.invariant);
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let never: Vec<_> = marks.counts().filter(|(_, count)| *count == 0).map(|(mark, _)| mark).collect();
    let blind = seeds >= ENOUGH && !never.is_empty();
    if seeds >= ENOUGH {
        marks.counts().for_each(|(mark, count)| println!("{count:>10} {mark:?}"));
        never.iter().for_each(|mark| println!("never: {mark:?}"));
    }
    println!(
        "{:.0} seeds/s, {:.0} mutations/s, {:.0} events/s",
        rate(seeds, seconds),
        rate(mutations, seconds),
        rate(events, seconds)
    );
    println!("seeds={seeds} mutations={mutations} violations={violations} stuck={stuck} trace={hash:016x}");
    if violations > 0 || blind { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(1e-9)
}
