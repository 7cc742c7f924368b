//! The program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: what the shim does to itself must hold for all of it, so there is no thread yet.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == punctual::runner::SHIM) {
        return punctual::runner::shim();
    }
    if std::env::args_os().nth(1).is_some_and(|word| word == punctual::keeper::PROTOCOL_QUESTION) {
        println!("{}", punctual::keeper::PROTOCOL);
        return ExitCode::SUCCESS;
    }
    punctual::cli::run(std::env::args_os())
}
