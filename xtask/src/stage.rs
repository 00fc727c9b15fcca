//! Building the native parts and putting them where the package in the source tree looks for them.

use std::fs;
use std::path::Path;

use crate::environment::Environment;
use crate::process::{Error, command, root, run};

/// What cargo builds and where the package wants it.
const PARTS: [(&str, &str); 3] =
    [("libisapi_bridge.so", "_bridge.abi3.so"), ("libisapi_loader.so", "_loader.so"), ("pyisapi", "bin/pyisapi")];

/// Builds everything; the result is an environment in which `pyisapi` works.
pub fn stage() -> Result<Environment, Error> {
    let packages = ["--package", "isapi-bridge", "--package", "isapi-loader", "--package", "pyisapi-cli"];
    run(command("cargo", &["build", "--release", "--locked"]).args(packages))?;
    let (built, package) = (root().join("target/release"), root().join("python/pyisapi"));
    fs::create_dir_all(package.join("bin"))?;
    for (from, to) in PARTS {
        replace(&built.join(from), &package.join(to))?;
    }
    let environment = Environment::open()?;
    environment.use_source_tree()?;
    Ok(environment)
}

/// Serves the samples.
pub fn serve(options: &[String]) -> Result<(), Error> {
    let environment = stage()?;
    run(command(environment.program("pyisapi"), &["serve", "samples"]).args(options))
}

/// A new file takes the old one's name: a program that runs or has the old one loaded is not disturbed.
fn replace(from: &Path, to: &Path) -> Result<(), Error> {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).map_err(|error| format!("{} cannot be copied: {error}", from.display()))?;
    Ok(fs::rename(fresh, to)?)
}
