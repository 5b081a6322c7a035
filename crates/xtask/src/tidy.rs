//! `cargo xtask tidy`: what review would have to repeat, said by a program.
//!
//! Each guard holds one rule, gives the reason in its finding, and has a test in which it fails. A
//! guard that cannot be satisfied honestly is wrong and gets changed here, not worked around.

mod any;
mod codes;
mod layers;
mod length;
mod links;
mod machine;
mod module;
mod patience;
mod purity;
mod source;
mod toplevel;

use crate::layout::Layout;
use crate::report::Report;
use crate::{setup, shell};
use anyhow::{Result, bail};
use serde_json::Value;
use source::{Finding, Tree};

/// What a guard may look at.
struct Subject {
    tree: Tree,
    /// `cargo metadata` of the workspace's own crates.
    metadata: Value,
}

type Guard = fn(&Subject) -> Vec<Finding>;

const GUARDS: [(&str, Guard); 11] = [
    ("the core has no clock, no hash map, no IO", |subject| purity::check(&subject.tree)),
    ("dependencies point one way", |subject| layers::check(&subject.metadata, &subject.tree)),
    ("every module says why it exists", |subject| module::check(&subject.tree)),
    ("files stay short", |subject| length::check(&subject.tree)),
    ("the top level stays as it is", |subject| toplevel::check(&subject.tree)),
    ("no `any` in the package", |subject| any::check(&subject.tree)),
    ("no test is skipped, retried or waited for", |subject| patience::check(&subject.tree)),
    ("nothing names a machine", |subject| machine::check_paths(&subject.tree)),
    ("nothing names a registry", |subject| machine::check_registries(&subject.tree)),
    ("every error code is in the protocol", |subject| codes::check(&subject.tree)),
    ("every link leads somewhere", |subject| links::check(&subject.tree)),
];

/// The guards, then formatting, then lints.
pub(crate) fn steps(report: &mut Report, layout: &Layout) -> Result<()> {
    report.counted("guards", || {
        let subject = Subject { tree: Tree::of_checkout(&layout.root)?, metadata: layout.metadata.clone() };
        let mut count = 0;
        for (rule, guard) in GUARDS {
            let findings = guard(&subject);
            println!("{} {rule}", if findings.is_empty() { "ok  " } else { "FAIL" });
            findings.iter().for_each(|finding| println!("     {finding}"));
            count += findings.len();
        }
        if count > 0 {
            bail!("{count} findings");
        }
        Ok((u32::try_from(GUARDS.len())?, ()))
    })?;
    report.step("rustfmt", || {
        setup::components()?;
        shell::run(shell::cargo().args(["fmt", "--check"]).current_dir(&layout.root))
    })?;
    report.step("clippy", || {
        let mut clippy = shell::cargo();
        clippy.args(["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"]);
        shell::run(clippy.current_dir(&layout.root))
    })
}
