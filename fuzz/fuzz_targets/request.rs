//! See `isapi_host::fuzzing::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| isapi_host::fuzzing::request(input));
