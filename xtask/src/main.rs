//! `cargo xtask`: what a developer, the continuous integration and a first-time user run.
//!
//! `serve` builds everything and serves the samples; `test` runs all checks; `dist` builds the wheel to distribute;
//! `bench` compares it with peers.

mod bench;
mod dist;
mod environment;
mod process;
mod profile;
mod stage;
mod test;
mod wheel;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and serve the samples at http://127.0.0.1:8080/.
    Serve {
        /// Further options for `pyisapi serve`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Build the package into target/venv, ready to use.
    Stage,
    /// Run formatting, lints, type checks and all tests; the last line counts them.
    Test {
        /// Only the Python tests, with further options for pytest.
        #[arg(long, num_args = 0.., allow_hyphen_values = true, value_name = "PYTEST OPTIONS")]
        pytest: Option<Vec<String>>,
    },
    /// Build this platform's wheel into dist/, optimized by a profile of its own work, and try it.
    Dist(dist::Options),
    /// Measure pyisapi beside other servers, on pinned cores, and write docs/benchmarks.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Serve { options } => stage::serve(&options),
        Task::Stage => stage::stage().map(drop),
        Task::Test { pytest } => test::check(pytest.as_deref()),
        Task::Dist(options) => dist::run(&options),
        Task::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
