//! The second oracle: mingw-w64's `httpext.h` and `httpfilt.h`, asked through its compiler.
//!
//! A test writes C text and has it compiled, or preprocessed, from standard input; nothing is linked
//! or run. Without the compiler a test passes as skipped and says so; under `CI` on Linux it fails.

use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

const COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// The includes each C text begins with.
pub const INCLUDES: &str =
    "#include <winsock2.h>\n#include <windows.h>\n#include <httpext.h>\n#include <httpfilt.h>\n#include <stddef.h>\n";

/// Runs the compiler on `source`; `None` means it is not installed and the test is to be skipped.
///
/// # Panics
/// With the compiler's text when it finds fault with `source`.
pub fn compile(source: &str, arguments: &[&str]) -> Option<String> {
    let output = match run(source, arguments) {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let required = cfg!(target_os = "linux") && std::env::var_os("CI").is_some();
            assert!(!required, "{COMPILER} is required under CI: install gcc-mingw-w64-x86-64-win32");
            eprintln!("skipped: {COMPILER} is not installed, so mingw-w64's headers were not compared");
            return None;
        }
        Err(error) => panic!("{COMPILER} could not be run: {error}"),
    };
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{COMPILER} {arguments:?} found differences:\n{messages}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run(source: &str, arguments: &[&str]) -> std::io::Result<Output> {
    let mut child = Command::new(COMPILER)
        .args(["-std=c11", "-x", "c"])
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Dropped at the end of the statement, which tells the compiler that the text is complete.
    child.stdin.take().expect("standard input was asked for").write_all(source.as_bytes())?;
    child.wait_with_output()
}
