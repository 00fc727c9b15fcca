//! The report: the generated part of a README between its two marks, a chart for each case, all samples.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::case::Kind;
use super::outcome::Outcome;
use super::{delay, plot, table, targets};
use crate::process::Error;

const BEGIN: &str = "<!-- What follows is written by `cargo xtask bench`; changes are lost. -->\n";
const END: &str = "<!-- Here the written part ends. -->\n";

/// Writes all files; what stands outside the marks stays.
pub fn write(folder: &Path, machine: &str, method: &str, outcomes: &[Outcome]) -> Result<(), Error> {
    fs::create_dir_all(folder)?;
    for outcome in outcomes {
        fs::write(folder.join(chart(outcome)), plot::svg(outcome))?;
    }
    fs::write(folder.join("samples.csv"), table::csv(outcomes))?;
    let readme = folder.join("README.md");
    let present = match fs::read_to_string(&readme) {
        Err(error) if error.kind() == ErrorKind::NotFound => format!("# Benchmarks\n\n{BEGIN}{END}"),
        other => other?,
    };
    Ok(fs::write(&readme, replaced(&present, &text(machine, method, outcomes))?)?)
}

/// The generated part.
pub fn text(machine: &str, method: &str, outcomes: &[Outcome]) -> String {
    let cases: String = outcomes.iter().map(case).collect();
    let (targets, floors) = (targets::table(outcomes), targets::floors(outcomes));
    format!("\n## Targets\n\n{targets}{floors}\n{cases}## Method\n\n{method}\n## Machine\n\n{machine}\n")
}

fn case(outcome: &Outcome) -> String {
    let (title, connections, chart) = (outcome.case.title, outcome.case.connections, chart(outcome));
    let (note, table) = match outcome.case.kind {
        Kind::Beside => (delay::note(outcome.case), delay::markdown(outcome)),
        _ => (String::new(), table::markdown(outcome)),
    };
    format!("## {title}\n\n![{title}]({chart})\n\n{connections} connections.{note}\n\n{table}\n")
}

fn chart(outcome: &Outcome) -> String {
    format!("{}.svg", outcome.case.name)
}

/// The text with the part between the marks exchanged.
fn replaced(text: &str, part: &str) -> Result<String, String> {
    let lacking = || format!("README.md lacks one of the two marks around the written part:\n{BEGIN}{END}");
    let (before, rest) = text.split_once(BEGIN).ok_or_else(lacking)?;
    let (_, after) = rest.split_once(END).ok_or_else(lacking)?;
    Ok(format!("{before}{BEGIN}{part}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::super::outcome::made_up::outcome;
    use super::super::product::Product;
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_exchanged() {
        let before = format!("above\n{BEGIN}old\n{END}below\n");
        assert_eq!(replaced(&before, "new\n"), Ok(format!("above\n{BEGIN}new\n{END}below\n")));
    }

    #[test]
    fn a_text_without_both_marks_in_order_is_refused() {
        for text in [BEGIN, END, "", &format!("{END}{BEGIN}")] {
            assert!(replaced(text, "new").is_err(), "{text}");
        }
    }

    #[test]
    fn a_case_has_its_chart_and_its_table() {
        let text = text("M", "W", &[outcome(&[(Product::Nginx, 1.0)])]);
        assert!(
            text.contains("\n## Hello, 14 bytes\n\n![Hello, 14 bytes](hello.svg)\n\n64 connections.\n\n| server |")
        );
    }
}
