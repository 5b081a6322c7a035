//! What ran, how long it took, how many tests it held: the last thing a person reads.

use crate::shell;
use anyhow::{Context, Result};
use std::process::Command;
use std::time::{Duration, Instant};

/// Steps in the order they ran. The first failure ends the run.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    /// Tests in this step; 1 for a step that is itself the check, such as a build.
    passed: u32,
    failed: bool,
}

impl Report {
    /// Runs `steps` and prints the summary, whether or not they came to their end.
    pub(crate) fn of(steps: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut report = Self::default();
        let outcome = steps(&mut report);
        print!("{}", report.summary());
        outcome
    }

    /// Runs a step that counts as one check.
    pub(crate) fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.counted(name, || Ok((1, work()?)))
    }

    /// Runs a test command and counts the tests that it says have passed.
    pub(crate) fn tests(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        self.counted(name, || {
            let mut passed = 0;
            shell::run_watched(command, |line| passed += passed_in(line))?;
            anyhow::ensure!(passed > 0, "no test ran");
            Ok((passed, ()))
        })
    }

    /// Runs a step that says itself how many checks it held.
    pub(crate) fn counted<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(u32, T)>,
    ) -> Result<T> {
        shell::say(name);
        let start = Instant::now();
        let outcome = work();
        let passed = outcome.as_ref().map_or(0, |(passed, _)| *passed);
        self.steps.push(Step { name, took: start.elapsed(), passed, failed: outcome.is_err() });
        outcome.map(|(_, value)| value).with_context(|| format!("step {name:?} failed"))
    }

    fn summary(&self) -> String {
        let mut text = String::from("\n");
        for step in &self.steps {
            let verdict = if step.failed { "FAILED".to_owned() } else { format!("{} passed", step.passed) };
            text += &format!("{:<28} {:>7.1} s  {verdict}\n", step.name, step.took.as_secs_f64());
        }
        let took: Duration = self.steps.iter().map(|step| step.took).sum();
        let passed: u32 = self.steps.iter().map(|step| step.passed).sum();
        let failed = self.steps.iter().filter(|step| step.failed).count();
        text += &format!("{:<28} {:>7.1} s\n", "total", took.as_secs_f64());
        text + &format!("{passed} passed, {failed} failed\n")
    }
}

/// The count in a summary line of cargo test, node's test runner, Vitest or Playwright; else 0.
fn passed_in(line: &str) -> u32 {
    let line = without_colour(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let count = match words.as_slice() {
        ["test", "result:", _, count, "passed;", ..] | ["Tests", count, "passed", ..] => count,
        ["#" | "ℹ", "pass", count] => count,
        // Playwright's "5 passed (12.3s)"; Vitest's "Test Files  3 passed (3)" starts otherwise.
        [count, "passed"] | [count, "passed", ..] => count,
        _ => return 0,
    };
    count.parse().unwrap_or(0)
}

fn without_colour(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('\u{1b}') {
        text.push_str(&rest[..start]);
        rest = rest[start..].split_once('m').map_or("", |(_, after)| after);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::{Report, passed_in};
    use anyhow::bail;

    #[test]
    fn each_runner_is_understood() {
        for (line, count) in [
            ("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", 12),
            ("      Tests  7 passed (7)", 7),
            ("\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m7 passed\u{1b}[39m\u{1b}[22m (7)", 7),
            (" Test Files  3 passed (3)", 0),
            ("  5 passed (12.3s)", 5),
            ("# pass 4", 4),
            ("ℹ pass 4", 4),
            ("running 12 tests", 0),
            ("all passed", 0),
        ] {
            assert_eq!(passed_in(line), count, "{line}");
        }
    }

    #[test]
    fn the_last_line_sums_the_steps() {
        let mut report = Report::default();
        report.step("build", || Ok(())).unwrap();
        report.counted("guards", || Ok((9, ()))).unwrap();
        assert!(report.summary().ends_with("\n10 passed, 0 failed\n"));
    }

    #[test]
    fn a_failing_step_is_named_and_counted() {
        let mut report = Report::default();
        let error = report.step::<()>("lint", || bail!("no")).unwrap_err();
        assert_eq!(format!("{error:#}"), "step \"lint\" failed: no");
        assert!(report.summary().contains("FAILED"));
        assert!(report.summary().ends_with("\n0 passed, 1 failed\n"));
    }
}
