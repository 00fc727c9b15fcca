//! All checks, in the order in which they fail fastest, and the count of the tests.

use std::process::Command;

use crate::environment::Environment;
use crate::process::{Error, command, run, run_and_read, succeeds};
use crate::stage;

/// What the checks of the Python side need.
const TOOLS: [&str; 3] = ["mypy==1.18.*", "pytest==8.*", "ruff==0.14.*"];

/// The host with what its fuzz targets call.
const FUZZING: [&str; 4] = ["--package", "isapi-host", "--features", "fuzzing"];

/// How many tests ended how.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// Everything, or with `pytest` only the Python tests with these options.
pub fn check(pytest: Option<&[String]>) -> Result<(), Error> {
    let mut count = Count::default();
    let good = match pytest {
        Some(options) => python_tests(&stage::stage()?, options, &mut count)?,
        None => all(&mut count)?,
    };
    eprintln!();
    println(&format!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped))?;
    if good { Ok(()) } else { Err("some tests failed".into()) }
}

fn all(count: &mut Count) -> Result<bool, Error> {
    run_command("cargo", &["fmt", "--all", "--check"])?;
    run_command("cargo", &["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"])?;
    run_command(
        "cargo",
        &["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"],
    )?;
    run_command(
        "cargo",
        &[&["clippy", "--all-targets", "--locked", "--quiet"][..], &FUZZING, &["--", "--deny", "warnings"]].concat(),
    )?;
    run_command(
        "cargo",
        &["check", "--quiet", "--package", "isapi-abi", "--locked", "--target", "i686-pc-windows-gnu"],
    )?;
    let rust = rust_tests(count)?;
    let environment = stage::stage()?;
    type_checks(&environment)?;
    let python = python_tests(&environment, &[], count)?;
    Ok(rust && python)
}

fn rust_tests(count: &mut Count) -> Result<bool, Error> {
    let workspace = cargo_test(&["test", "--workspace", "--locked", "--no-fail-fast"], count)?;
    // With the feature, so that what is tested above is what is shipped.
    let corpus = cargo_test(&[&["test", "--locked", "--test", "corpus"][..], &FUZZING].concat(), count)?;
    let checks = cargo_test(&[&["test", "--locked", "--lib"][..], &FUZZING, &["fuzzing::"]].concat(), count)?;
    Ok(workspace & corpus & checks & miri_tests(count)?)
}

/// The crate that Miri can run. Its leak check is off, since the fence leaks a panic's payload on purpose.
fn miri_tests(count: &mut Count) -> Result<bool, Error> {
    // Only looked for, not installed.
    let mut version = command("cargo", &["+nightly", "miri", "--version"]);
    if !succeeds(version.env("RUSTUP_AUTO_INSTALL", "0")) {
        eprintln!("skipped: Miri is not installed (rustup toolchain install nightly -c miri -c rust-src)");
        count.skipped += 1;
        return Ok(true);
    }
    let mut miri = command("cargo", &["+nightly", "miri", "test", "--package", "isapi-abi", "--locked"]);
    count_tests(miri.env("MIRIFLAGS", "-Zmiri-ignore-leaks"), count)
}

fn cargo_test(arguments: &[&str], count: &mut Count) -> Result<bool, Error> {
    count_tests(&mut command("cargo", arguments), count)
}

fn count_tests(test: &mut Command, count: &mut Count) -> Result<bool, Error> {
    let (output, good) = run_and_read(test)?;
    for line in output.lines().filter(|line| line.starts_with("test result:")) {
        count.passed += number_before(line, "passed");
        count.failed += number_before(line, "failed");
        count.skipped += number_before(line, "ignored");
    }
    Ok(good)
}

fn type_checks(environment: &Environment) -> Result<(), Error> {
    environment.install(&TOOLS)?;
    let ruff = ["check", "python", "samples", "tests", "bench"];
    run(command(environment.program("ruff"), &ruff).env("RUFF_NO_CACHE", "true"))?;
    let format = ["format", "--check", "--quiet", "python", "samples", "tests", "bench"];
    run(command(environment.program("ruff"), &format).env("RUFF_NO_CACHE", "true"))?;
    // The files and the strictness are those of pyproject.toml.
    run(&mut command(environment.program("mypy"), &[]))?;
    run(&mut command(environment.program("stubtest"), &["pyisapi._bridge", "--ignore-missing-stub"]))
}

fn python_tests(environment: &Environment, options: &[String], count: &mut Count) -> Result<bool, Error> {
    environment.install(&TOOLS)?;
    let mut pytest = command(environment.python(), &["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests"]);
    let (output, good) = run_and_read(pytest.args(options))?;
    if let Some(summary) = output.lines().rev().find(|line| line.contains(" in ")) {
        count.passed += number_before(summary, "passed");
        count.failed += number_before(summary, "failed") + number_before(summary, "error");
        count.skipped += number_before(summary, "skipped");
    }
    Ok(good)
}

fn run_command(program: &str, arguments: &[&str]) -> Result<(), Error> {
    run(&mut command(program, arguments))
}

/// `3` in `ok. 3 passed; 0 failed`; 0 when the word is not there.
fn number_before(line: &str, word: &str) -> usize {
    let words: Vec<&str> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let place = words.iter().position(|found| found.starts_with(word)).unwrap_or(0);
    place.checked_sub(1).and_then(|before| words[before].parse().ok()).unwrap_or(0)
}

fn println(line: &str) -> Result<(), Error> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

#[cfg(test)]
mod tests {
    use super::number_before;

    #[test]
    fn counts_are_read_from_both_runners() {
        let cargo = "test result: ok. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(
            (number_before(cargo, "passed"), number_before(cargo, "failed"), number_before(cargo, "ignored")),
            (12, 1, 3)
        );
        let pytest = "2 failed, 104 passed, 5 skipped in 61.20s (0:01:01)";
        assert_eq!(
            (number_before(pytest, "passed"), number_before(pytest, "failed"), number_before(pytest, "skipped")),
            (104, 2, 5)
        );
        assert_eq!(number_before("7 passed in 2s", "failed"), 0);
    }
}
