//! The command `pyisapi`.
//!
//! `serve` runs the server of `isapi-host` over scripts or ISAPI libraries; `user` keeps its password file. The Python
//! entry point of the package starts this program with `PYISAPI_PYTHON` and `PYISAPI_LOADER` set; see `placing`.

#![deny(unsafe_code)]

mod address;
mod environment;
mod error;
mod logging;
mod memory;
mod mount;
mod placing;
mod roles;
mod serve;
mod site;
mod stand_in;
mod stopping;
mod trace;
mod user;
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
    Serve(Box<serve::ServeArguments>),
    /// Add a user to a password file, change a password, or remove a user.
    User(user::UserArguments),
}

fn main() -> ExitCode {
    memory::keep_freed();
    let outcome = match Arguments::parse().command {
        Command::Serve(arguments) => serve(&arguments),
        Command::User(arguments) => user::change(&arguments),
    };
    outcome.unwrap_or_else(|error| report(&error))
}

fn serve(arguments: &serve::ServeArguments) -> Result<ExitCode, CliError> {
    if arguments.debug {
        environment::show_tracebacks();
    }
    if arguments.log_format == logging::LogFormat::Json {
        environment::log_json();
    }
    logging::start(arguments.log_format);
    if arguments.reload { watch::serve_and_reload(arguments) } else { serve::serve(arguments) }
}

fn report(error: &CliError) -> ExitCode {
    // Clap's own style: plain words on standard error, also where logs go elsewhere.
    eprintln!("pyisapi: {error}");
    ExitCode::FAILURE
}
