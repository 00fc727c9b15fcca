//! `cargo xtask bench`: pyisapi beside other servers, from one run on one machine.
//!
//! The server gets one core and the load generator (wrk) another. The servers of a case are measured in turn,
//! round after round and each round in another order, so that a drift of the machine's speed meets all alike.

mod background;
mod case;
mod delay;
mod filtering;
mod launch;
mod load;
mod machine;
mod outcome;
mod plot;
mod probe;
mod processes;
mod product;
mod report;
mod server;
mod statistics;
mod table;
mod targets;
pub mod training;

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use self::background::Background;
use self::case::Case;
use self::launch::Launcher;
use self::outcome::Outcome;
use self::server::Server;
use self::statistics::{Count, Sample};
use crate::environment::Environment;
use crate::process::{Error, root};
use crate::wheel::{self, Build};

/// The cores of all servers and of wrk, as taskset takes them.
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";

/// A first run that does not count: threads are started, buffers have grown.
const WARM_UP_SECONDS: u32 = 1;

/// What a run measures, and where it writes.
#[derive(Args)]
pub struct Options {
    /// Seconds per measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How often each server is measured; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// One round of one second each, and no report unless --out is given.
    #[arg(long, conflicts_with_all = ["seconds", "rounds"])]
    quick: bool,
    /// Only one case: hello, 10kb, 1mb, echo, file, filters or sleeper; and no report unless --out is given.
    #[arg(long, value_name = "CASE")]
    only: Option<String>,
    /// Measure a plain build; and no report unless --out is given.
    #[arg(long)]
    no_profile: bool,
    /// Write the report here [default: docs/benchmarks, of all cases].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Options {
    /// A part of the cases or a quick look replaces the project's report only when asked to.
    fn folder(&self) -> Option<PathBuf> {
        let whole = !self.quick && self.only.is_none() && !self.no_profile;
        self.out.clone().or_else(|| whole.then(|| root().join("docs/benchmarks")))
    }

    fn seconds(&self) -> u32 {
        if self.quick { 1 } else { self.seconds }
    }

    fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    fn method(&self, outcomes: &[Outcome]) -> String {
        format!(
            "What is measured of pyisapi is the wheel that `cargo xtask dist` builds (which way is in the table below), \
             installed where nothing else of it is. Each server runs on one core, with one worker, and wrk on another. Every server is first asked once and \
             its answer compared byte for byte; then each is measured for {} s in {} rounds, one server after the \
             other and each round in another order, after {WARM_UP_SECONDS} s that do not count. Tables show the \
             median of the rounds, with the least and the greatest. An error or a status that is not 200 makes the \
             whole run fail. CPU per request is user and system time of the server's whole process tree, divided by \
             its requests. Where fewer than about 0.95 cores are busy, the client was the limit, and CPU per request \
             compares better than the rate. Processes that have no part in this took up to {:.2} cores of the machine \
             while a server was measured. Memory is the resident memory of the process tree after the last round; \
             pages that processes share count in each. All samples are in `samples.csv`; how each server is started \
             is in `xtask/src/bench/launch.rs`.\n",
            self.seconds(),
            self.rounds(),
            outcome::most_by_others(outcomes)
        )
    }
}

/// Builds and installs what is distributed, measures, prints the tables, and writes the report.
pub fn run(options: &Options) -> Result<(), Error> {
    let cases = Case::chosen(options.only.as_deref())?;
    launch::require(&launch::OURS)?;
    launch::require(&launch::PEERS)?;
    let work = root().join("target").join("bench");
    let build = Build::to_distribute(options.no_profile)?;
    let environment = Environment::at(work.join("venv"))?;
    environment.install_wheel(&wheel::build(&build)?)?;
    environment.install(&machine::PEERS)?;
    let machine = machine::table(&environment, &build);
    let launcher = Launcher::new(environment, work)?;
    let mut outcomes = Vec::new();
    for case in cases {
        outcomes.push(measure(&launcher, case, options)?);
    }
    let method = options.method(&outcomes);
    write!(std::io::stdout(), "{}", report::text(&machine, &method, &outcomes))?;
    match options.folder() {
        Some(folder) => report::write(&folder, &machine, &method, &outcomes),
        None => Ok(()),
    }
}

/// All servers of a case run at once, but only one has work at a time.
fn measure(launcher: &Launcher, case: &'static Case, options: &Options) -> Result<Outcome, Error> {
    let mut outcome = Outcome::of(case);
    let mut servers = Vec::new();
    for product in case.products {
        servers.push(Server::start(launcher, *product, case)?);
    }
    for server in &servers {
        sample(server, case, WARM_UP_SECONDS)?;
    }
    for round in 0..options.rounds() as usize {
        for step in 0..servers.len() {
            let place = (round + step) % servers.len();
            let found = sample(&servers[place], case, options.seconds())?;
            show(case, servers[place].product, round + 1, &found);
            outcome.rows[place].1.push(found);
        }
    }
    Ok(outcome)
}

fn sample(server: &Server, case: &Case, seconds: u32) -> Result<Sample, Error> {
    let beside = Background::start(server.product, server.port, seconds)?;
    let before = count(server)?;
    let load = load::run(case, server.port, seconds).map_err(|error| server.failed(error))?;
    let sample = Sample::new(case, &load, before, count(server)?);
    if let Some(beside) = beside {
        beside.end().map_err(|error| server.failed(error))?;
    }
    Ok(sample)
}

fn count(server: &Server) -> Result<Count, Error> {
    Ok(Count { server: server.usage()?, others: processes::cpu_seconds_of_others()?, at: Instant::now() })
}

fn show(case: &Case, product: product::Product, round: usize, sample: &Sample) {
    let Sample { rate, busy, others, latency: [_, p99, _], .. } = sample;
    eprintln!(
        "{:<7} round {round}: {:<28} {rate:>9.0} {}, p99 {}, {busy:.2} cores, others {others:.2}",
        case.name,
        product.name(),
        case.unit(),
        table::duration(*p99)
    );
}
