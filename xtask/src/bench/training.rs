//! The work from which a profile is made: the benchmark's own cases, each for a few seconds and without peers.

use std::path::PathBuf;

use super::case::{CASES, Case, Kind};
use super::launch::{self, Launcher};
use super::load;
use super::product::Product;
use super::server::Server;
use crate::environment::Environment;
use crate::process::Error;

/// Enough for counts that differ by thousands; how fast the machine is does not matter.
const SECONDS: u32 = 3;

/// Says what must be installed.
pub fn require_programs() -> Result<(), Error> {
    launch::require(&launch::OURS)
}

/// Has the package in the environment do all kinds of its work; each server has ended, and written, when this returns.
pub fn run(environment: Environment, work: PathBuf) -> Result<(), Error> {
    let launcher = Launcher::new(environment, work)?;
    for (case, product) in lessons() {
        eprintln!("training: {}, {}", case.name, product.name());
        let server = Server::start(&launcher, product, case)?;
        load::run(case, server.port, SECONDS).map_err(|error| server.failed(error))?;
    }
    Ok(())
}

/// Our own servers; beside those who sleep there is nothing to be learnt.
fn lessons() -> impl Iterator<Item = (&'static Case, Product)> {
    let cases = CASES.iter().filter(|case| case.kind != Kind::Beside);
    cases.flat_map(|case| case.products.iter().filter(|product| product.is_ours()).map(move |product| (case, *product)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_answering_is_trained_and_no_peer_runs() {
        let lessons: Vec<_> = lessons().map(|(case, product)| (case.name, product)).collect();
        for lesson in [("hello", Product::Simple), ("echo", Product::Pool), ("file", Product::StaticFile)] {
            assert!(lessons.contains(&lesson), "{lesson:?}");
        }
        assert!(lessons.iter().all(|(case, product)| *case != "sleeper" && product.is_ours()));
    }
}
