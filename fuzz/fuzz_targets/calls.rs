//! See `isapi_host::fuzzing::calls`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| isapi_host::fuzzing::calls(input));
