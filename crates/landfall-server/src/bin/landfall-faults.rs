//! The `landfall` binary, built so that it can be told where to die.

// Its modules name each other by `super`, since here they are one level further down.
#[path = "../main.rs"]
mod landfall;

fn main() -> std::process::ExitCode {
    landfall::main()
}
