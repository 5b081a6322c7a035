//! Runs seeds and says what came of them. `cargo xtask sim` is the way in.

mod busy;
mod floor;
mod survey;

use std::process::ExitCode;
use std::time::Instant;

use landfall_sim::planted::{self, Planted};
use landfall_sim::shrink::shrink;
use landfall_sim::story::{tell, tell_after};
use survey::{Survey, processors};

/// The system's own is slower by a quarter at what worlds do: many small texts that live shortly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many seeds as must have seen every disaster.
const ENOUGH: u64 = 2_000;
/// Most violations that are told.
const TOLD: usize = 20;
/// Seeds that are asked together whether they find a planted bug.
const TOGETHER: u64 = 20;

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
    if !flag("--trace") {
        // What a seed panics with is part of its report.
        std::panic::set_hook(Box::new(|_| {}));
    }
    if flag("--hashes") {
        (from..from + value("--seeds").unwrap_or(1)).for_each(hashed);
        return ExitCode::SUCCESS;
    }
    if flag("--bench") {
        return bench(value("--seeds").unwrap_or(ENOUGH));
    }
    match seed {
        _ if flag("--planted") => {
            let wanted = |bug: &Planted| flag(&bug.to_string());
            let all = Planted::all();
            let named: Vec<_> = all.iter().copied().filter(wanted).collect();
            let bugs = if named.is_empty() { all } else { named };
            find_planted(&bugs, from, value("--seeds").unwrap_or(1_000))
        }
        Some(seed) if flag("--shrink") => shrunk(seed),
        Some(seed) if flag("--trace") => traced(seed),
        Some(_) | None => run(from, value("--seeds").unwrap_or(if seed.is_some() { 1 } else { ENOUGH })),
    }
}

fn hashed(seed: u64) {
    println!("{seed} {:016x}", tell(seed, false).hash);
}

/// How many mutations one core judges in a second with everything around them, and with nothing.
fn bench(seeds: u64) -> ExitCode {
    let found = Survey::of(0, seeds);
    let (ours, floor) = (found.mutations as f64 / found.busy.max(1e-9), floor::rate(1_000));
    println!("sim ours={ours:.0}/s floor={floor:.0}/s ratio={:.2}", ours / floor);
    ExitCode::SUCCESS
}

/// Looks for the first seed that finds each planted bug, and nothing without it.
fn find_planted(bugs: &[Planted], from: u64, seeds: u64) -> ExitCode {
    let mut missed = 0;
    for bug in bugs {
        match (from..from + seeds).step_by(TOGETHER as usize).find_map(|first| finds(*bug, first)) {
            Some(seed) => println!("{bug} caught {seed}"),
            None => {
                missed += 1;
                println!("{bug} missed {seeds}");
            }
        }
    }
    println!("planted={} missed={missed}", bugs.len());
    // One in twenty may need more seeds than these.
    if missed * 20 > bugs.len() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn finds(bug: Planted, first: u64) -> Option<u64> {
    planted::choose(Some(bug));
    let with = Survey::of(first, TOGETHER).violations;
    planted::choose(None);
    let fine_without = |seed: u64| tell(seed, false).violation.is_none();
    with.into_iter().map(|(seed, _)| seed).find(|seed| fine_without(*seed))
}

/// Tells the story of the smallest world in which a seed breaks what it breaks.
fn shrunk(seed: u64) -> ExitCode {
    let story = tell(seed, false);
    let Some(found) = &story.violation else {
        println!("seed {seed} breaks nothing");
        return ExitCode::SUCCESS;
    };
    println!("seed {seed}: {:?}: {}", found.invariant, found.what);
    let (swarm, script) = shrink(seed, &story);
    let smallest = tell_after(seed, swarm, script, true);
    smallest.lines.iter().for_each(|line| println!("{line}"));
    println!("{} deeds of {}", smallest.script.deeds().len(), story.script.deeds().len());
    ExitCode::FAILURE
}

/// Tells the story of a seed.
fn traced(seed: u64) -> ExitCode {
    let story = tell(seed, true);
    story.lines.iter().for_each(|line| println!("{line}"));
    run(seed, 1)
}

fn run(first: u64, seeds: u64) -> ExitCode {
    let begun = Instant::now();
    let found = Survey::of(first, seeds);
    let seconds = begun.elapsed().as_secs_f64().max(1e-9);
    for (seed, violation) in found.violations.iter().take(TOLD) {
        let what: String = violation.what.chars().take(600).collect();
        println!("seed {seed}: {:?}: {what}", violation.invariant);
    }
    found.fickle.iter().for_each(|seed| println!("seed {seed} went another way the second time"));
    let never: Vec<_> = found.marks.counts().filter(|(_, count)| *count == 0).map(|(mark, _)| mark).collect();
    let blind = seeds >= ENOUGH && !never.is_empty();
    if seeds >= ENOUGH {
        found.marks.counts().for_each(|(mark, count)| println!("{count:>10} {mark:?}"));
        never.iter().for_each(|mark| println!("never: {mark:?}"));
    }
    let (cores, mutations) = (processors(), found.mutations);
    println!(
        "{:.0} seeds/s, {:.0} mutations/s, {:.0} events/s on {cores} cores; {:.0} mutations/s per core",
        seeds as f64 / seconds,
        mutations as f64 / seconds,
        found.events as f64 / seconds,
        mutations as f64 / found.busy.max(1e-9)
    );
    let (violations, stuck, hash) = (found.violations.len(), found.stuck, found.hash);
    println!("seeds={seeds} mutations={mutations} violations={violations} stuck={stuck} trace={hash:016x}");
    let broken = violations > 0 || !found.fickle.is_empty();
    if broken || blind { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
