//! All checks, in the order in which they fail fastest, and the count of the tests.

use crate::environment::Environment;
use crate::process::{Error, command, run, run_and_read};
use crate::stage;

/// What the checks of the Python side need.
const TOOLS: [&str; 3] = ["mypy==1.18.*", "pytest==8.*", "ruff==0.14.*"];

/// What replays the kept inputs of the fuzz targets.
const FUZZING: [&str; 2] = ["--features", "isapi-host/fuzzing"];

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
    run_command(
        "cargo",
        &[
            &["clippy", "--workspace", "--all-targets", "--locked", "--quiet"],
            &FUZZING[..],
            &["--", "--deny", "warnings"],
        ]
        .concat(),
    )?;
    run_command(
        "cargo",
        &["check", "--quiet", "--package", "isapi-abi", "--locked", "--target", "i686-pc-windows-gnu"],
    )?;
    let rust = rust_tests(count)?;
    miri()?;
    let environment = stage::stage()?;
    type_checks(&environment)?;
    let python = python_tests(&environment, &[], count)?;
    Ok(rust && python)
}

fn rust_tests(count: &mut Count) -> Result<bool, Error> {
    let (output, good) =
        run_and_read(command("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"]).args(FUZZING))?;
    for line in output.lines().filter(|line| line.starts_with("test result:")) {
        count.passed += number_before(line, "passed");
        count.failed += number_before(line, "failed");
        count.skipped += number_before(line, "ignored");
    }
    Ok(good)
}

/// The tests of isapi-abi under Miri, where it is installed.
fn miri() -> Result<(), Error> {
    let installed =
        command("cargo", &["+nightly", "miri", "--version"]).output().is_ok_and(|found| found.status.success());
    if !installed {
        return println("skipped: Miri on isapi-abi (rustup toolchain install nightly --component miri,rust-src)");
    }
    let arguments = ["+nightly", "miri", "test", "--quiet", "--package", "isapi-abi", "--locked"];
    // The fence leaks the payload of a panic on purpose.
    run(command("cargo", &arguments).env("MIRIFLAGS", "-Zmiri-ignore-leaks"))
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
