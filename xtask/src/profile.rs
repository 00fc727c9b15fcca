//! The profile that an optimized build follows: what the native parts do under the benchmark's load.
//!
//! It is kept in `target/profile` under a name that follows from the sources and the compiler, so it is made anew only
//! when one of them has changed, and cargo, which looks at names only, then builds anew too.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::training;
use crate::environment::Environment;
use crate::process::{Error, command, root, run};
use crate::wheel::{self, Build};

/// What decides the code and its training.
const SOURCES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "pyproject.toml",
    "crates",
    "bench",
    "xtask/src/bench/case.rs",
    "xtask/src/bench/training.rs",
];
const ENDINGS: [&str; 6] = ["rs", "toml", "lock", "py", "c", "h"];

/// What to do where the means are lacking.
const WAY_OUT: &str = "a profile-guided build needs it; --no-profile builds without a profile";

/// The profile of the present sources; made, in a few minutes, unless it is there.
pub fn made() -> Result<PathBuf, Error> {
    let folder = root().join("target/profile");
    let merged = folder.join(format!("merged-{:016x}.profdata", fingerprint()?));
    if merged.is_file() {
        return Ok(merged);
    }
    let tool = profdata_tool()?;
    training::require_programs().map_err(|error| format!("{error}: {WAY_OUT}"))?;
    wheel::remove(&folder)?;
    let counted = folder.join("counted");
    count(&folder, &counted)?;
    merge(&tool, &counted, &merged)?;
    Ok(merged)
}

/// Builds what counts, and has it work.
fn count(folder: &Path, counted: &Path) -> Result<(), Error> {
    let wheel = wheel::build(&Build::Counting(counted.to_owned()))?;
    // Build scripts and macros have been compiled with the same flag, and have run.
    wheel::remove(counted)?;
    let environment = Environment::at(folder.join("venv"))?;
    environment.install_wheel(&wheel)?;
    training::run(environment, folder.join("work"))
}

fn merge(tool: &Path, counted: &Path, merged: &Path) -> Result<(), Error> {
    let fresh = merged.with_extension("new");
    run(command(tool, &["merge", "-o"]).arg(&fresh).arg(counted))?;
    Ok(fs::rename(fresh, merged)?)
}

/// The tool of the compiler's own LLVM: another one may not know the format.
fn profdata_tool() -> Result<PathBuf, Error> {
    let libraries = said_by_rustc(&["--print", "target-libdir"])?;
    let tool = Path::new(&libraries).with_file_name("bin").join("llvm-profdata");
    if tool.is_file() {
        return Ok(tool);
    }
    Err(format!("{} is not there (rustup component add llvm-tools): {WAY_OUT}", tool.display()).into())
}

fn said_by_rustc(arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new("rustc").args(arguments).output().map_err(|error| format!("rustc: {error}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn fingerprint() -> Result<u64, Error> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root().join(source), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    said_by_rustc(&["-vV"])?.hash(&mut hasher);
    std::env::var("RUSTFLAGS").ok().hash(&mut hasher);
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// All sources at a place or below it.
fn collect(place: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    if place.is_dir() {
        for entry in fs::read_dir(place)? {
            collect(&entry?.path(), files)?;
        }
    } else if is_source(place) {
        files.push(place.to_owned());
    }
    Ok(())
}

fn is_source(file: &Path) -> bool {
    file.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_sources_and_not_what_is_built_beside_them() {
        let mut files = Vec::new();
        collect(&root().join("crates"), &mut files).expect("the sources can be read");
        assert!(files.contains(&root().join("crates/isapi-host/src/lib.rs")));
        assert!(is_source(Path::new("bench/simple.py")) && !is_source(Path::new("bench/_simple.so")));
        assert_eq!(fingerprint().expect("they can be read"), fingerprint().expect("they can be read"));
    }
}
