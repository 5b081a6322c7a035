//! The `landfall` binary, built so that it can be told where to die.

#[path = "../main.rs"]
mod landfall;

fn main() -> std::process::ExitCode {
    landfall::main()
}
