//! From the first version call to an open script: the steps in order.

use std::path::{Path, PathBuf};

use isapi_abi::bridge_table::BridgeTable;

use crate::candidate::{Candidate, candidates, from_sidecar};
use crate::interpreter::Interpreter;
use crate::location::Location;
use crate::message::LoadError;
use crate::python::{self, Library};
use crate::sidecar::Sidecar;
use crate::start_lock::StartLock;

/// Finds Python or takes the one that runs, and gets the bridge's table from it.
pub fn bridge(location: &Location, sidecar: &Sidecar) -> Result<&'static BridgeTable, LoadError> {
    let _alone = StartLock::take();
    if let Some(library) = Library::running() {
        return python::bridge_table(library, Path::new("the Python that the process already runs"));
    }
    let interpreter = choose(location, sidecar)?;
    let library = python::start(&interpreter)?;
    python::bridge_table(library, &interpreter.program)
}

fn choose(location: &Location, sidecar: &Sidecar) -> Result<Interpreter, LoadError> {
    let candidates = match (&sidecar.interpreter, &sidecar.library) {
        (Some(program), Some(library)) => {
            return Ok(Interpreter { program: program.clone(), library: library.clone() });
        }
        (Some(program), None) => vec![from_sidecar(program.clone())],
        (None, _) => candidates(location.folder(), |name| std::env::var_os(name).map(PathBuf::from)),
    };
    first_usable(candidates)
}

fn first_usable(candidates: Vec<Candidate>) -> Result<Interpreter, LoadError> {
    let mut tried = Vec::new();
    for candidate in candidates {
        match Interpreter::ask(&candidate) {
            Ok(interpreter) => return Ok(interpreter),
            Err(reason) => tried.push((format!("{} ({})", candidate.program.display(), candidate.origin), reason)),
        }
    }
    Err(LoadError::NoPython(tried))
}
