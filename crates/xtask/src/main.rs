//! `cargo xtask`: everything a developer does with this repository that is not plain cargo.
//!
//! The product is Rust, WebAssembly, TypeScript and a page, built by four tools. One door keeps the
//! order of the steps in one place, so a newcomer types a command and CI types the same one.

mod arguments;
mod bench;
mod crash;
mod demo;
mod layout;
mod report;
mod schemathesis;
mod setup;
mod shell;
mod sim;
mod size;
mod test;
mod tidy;
mod wasm;

use anyhow::{Result, bail};
use arguments::Arguments;
use layout::Layout;
use report::Report;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [--listen ADDR]   set up, build and serve the demo (127.0.0.1:8787; port 0 picks a free one)
  test                   set up, build and run every test, real browser included
  tidy                   guards on the source, formatting, lints
  ci                     tidy, then test: what CI runs
  wasm [--planted]       build the npm package and print what it weighs
                         --planted: build pkg/wasm-planted, whose bugs the tests must catch
  bench [NAME]           set up, build and run the benchmarks, or the one named
  sim [SEED] [--seeds N] [--trace] [--shrink] [--planted] [--node]
                         live through N worlds (2000), or the one of a seed; --trace tells its story,
                         --shrink that of the smallest world that still breaks; --planted finds planted bugs;
                         --node has Node live through the same worlds
  crash [--kills N] [--store sqlite|postgres] [--seed N] [--planted]
                         kill N servers (100) under real devices and look whether anything is lost; --planted
                         sees whether bugs in the server are found
  schemathesis           ask a server on either store thousands of things made from its /openapi.json
  help                   this text
";

fn main() -> ExitCode {
    shell::settle_environment();
    match run(Arguments::from_process()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> Result<()> {
    let command = arguments.positional();
    if arguments.flag("--help") || arguments.flag("-h") || command.is_none() {
        print!("{USAGE}");
        return Ok(());
    }
    match command.as_deref().unwrap_or_default() {
        "demo" => {
            let listen = arguments.value("--listen")?;
            arguments.finish()?;
            demo::run(&Layout::find()?, listen.as_deref().unwrap_or(demo::LISTEN))
        }
        "test" => {
            arguments.finish()?;
            let layout = Layout::find()?;
            Report::of(|report| test::steps(report, &layout))
        }
        "tidy" => {
            arguments.finish()?;
            let layout = Layout::find()?;
            Report::of(|report| tidy::steps(report, &layout))
        }
        "ci" => {
            arguments.finish()?;
            let layout = Layout::find()?;
            Report::of(|report| {
                tidy::steps(report, &layout)?;
                test::steps(report, &layout)
            })
        }
        "wasm" => {
            let planted = arguments.flag("--planted");
            arguments.finish()?;
            let layout = Layout::find()?;
            if planted { wasm::build_planted(&layout) } else { wasm::build_and_weigh(&layout) }
        }
        "bench" => {
            let name = arguments.positional();
            arguments.finish()?;
            bench::run(&Layout::find()?, name.as_deref())
        }
        "crash" => crash::run(&Layout::find()?, arguments),
        "schemathesis" => {
            arguments.finish()?;
            schemathesis::run(&Layout::find()?)
        }
        "sim" => sim::run(&Layout::find()?, arguments),
        "help" => {
            print!("{USAGE}");
            Ok(())
        }
        unknown => bail!("no command {unknown:?}\n\n{USAGE}"),
    }
}
