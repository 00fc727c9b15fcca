//! The command `pyisapi`.
//!
//! `serve` runs the server of `isapi-host` over scripts or ISAPI libraries. The Python entry point of the
//! package starts this program with `PYISAPI_PYTHON` and `PYISAPI_LOADER` set; see `placing`.

#![deny(unsafe_code)]

mod address;
mod environment;
mod error;
mod logging;
mod memory;
mod mount;
mod placing;
mod serve;
mod site;
mod stand_in;
mod stopping;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::CliError;

/// Python and native code behind ISAPI.
#[derive(Parser)]
#[command(name = "pyisapi", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a script, a folder of scripts, or an ISAPI library over HTTP.
    Serve(serve::ServeArguments),
}

fn main() -> ExitCode {
    memory::keep_freed();
    let Arguments { command: Command::Serve(arguments) } = Arguments::parse();
    if arguments.debug {
        environment::show_tracebacks();
    }
    if arguments.log_format == logging::LogFormat::Json {
        environment::log_json();
    }
    logging::start(arguments.log_format);
    let outcome = if arguments.reload { watch::serve_and_reload(&arguments) } else { serve::serve(&arguments) };
    outcome.unwrap_or_else(|error| report(&error))
}

fn report(error: &CliError) -> ExitCode {
    // Clap's own style: plain words on standard error, also where logs go elsewhere.
    eprintln!("pyisapi: {error}");
    ExitCode::FAILURE
}
