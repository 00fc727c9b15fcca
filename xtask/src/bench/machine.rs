//! Where and with what a run was made: processor, kernel, versions, date and commit.

use std::fs;
use std::process::Command;

use crate::environment::Environment;
use crate::process::root;
use crate::wheel::Build;

/// What the environment must have from the package index.
pub const PEERS: [&str; 3] = ["granian==2.*", "gunicorn==25.*", "waitress==3.*"];

/// A table in Markdown; what cannot be found out is "unknown".
pub fn table(environment: &Environment, build: &Build) -> String {
    let python = environment.python().display().to_string();
    let peers = "from importlib.metadata import version as v; \
                 print(', '.join(f'{name} {v(name)}' for name in ('granian', 'gunicorn', 'waitress')))";
    let rows = [
        ("processor", processor()),
        ("kernel", first_line(fs::read_to_string("/proc/sys/kernel/osrelease").ok())),
        ("pyisapi", format!("{}, {} build, commit {}", env!("CARGO_PKG_VERSION"), build.name(), commit())),
        ("Python", said(&python, &["--version"])),
        ("peers", format!("{}, {}", said(&python, &["-c", peers]), nginx_version())),
        ("load generator", said("wrk", &["--version"]).split(" [").next().unwrap_or_default().to_owned()),
        ("compilers", format!("{}; {}", said("rustc", &["--version"]), said("cc", &["--version"]))),
        ("date", said("date", &["--utc", "+%Y-%m-%d"])),
    ];
    let rows: String = rows.iter().map(|(what, value)| format!("| {what} | {value} |\n")).collect();
    format!("| | |\n|---|---|\n{rows}")
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("model name")).collect();
    let model = models.first().and_then(|line| line.split_once(':')).map_or("unknown", |(_, model)| model.trim());
    format!("{model}, {} logical", models.len())
}

fn commit() -> String {
    let folder = root().display().to_string();
    let changed = Command::new("git").args(["-C", &folder, "diff", "--quiet", "HEAD", "--", ":!docs"]).status();
    let note = if changed.is_ok_and(|status| status.success()) { "" } else { " with changes" };
    said("git", &["-C", &folder, "rev-parse", "--short", "HEAD"]) + note
}

fn nginx_version() -> String {
    let program = super::launch::nginx_program();
    said(&program.display().to_string(), &["-v"]).replace("nginx version: nginx/", "nginx ")
}

/// The first line of what a program says on either stream.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    first_line(output.and_then(|output| String::from_utf8([output.stdout, output.stderr].concat()).ok()))
}

fn first_line(text: Option<String>) -> String {
    let line = text.as_deref().unwrap_or_default().lines().next().unwrap_or_default().trim();
    if line.is_empty() { "unknown".to_owned() } else { line.to_owned() }
}
