//! The inputs that fuzzing has found worth keeping (`fuzz/corpus`), once more, without a fuzzer.
//!
//! A target ends the process when something goes wrong, with the message of the panic on standard error.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use isapi_host::fuzzing;

fn replay(target: &str, play: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .expect("each target has a corpus")
        .map(|entry| entry.expect("a folder can be listed").path())
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        // Shown with `--nocapture`, which tells the input that ends the process.
        eprintln!("{}", input.display());
        play(&fs::read(&input).expect("an input can be read"));
    }
}

#[test]
fn requests_are_answered_and_modules_get_what_the_contract_promises() {
    replay("request", fuzzing::request);
}

#[test]
fn modules_may_call_what_they_like_when_they_like() {
    replay("calls", fuzzing::calls);
}

#[test]
fn parsers_agree_with_themselves() {
    replay("parsers", fuzzing::parsers);
}

#[test]
fn filters_may_do_what_they_like_to_requests_and_responses() {
    replay("filters", fuzzing::filters);
}
