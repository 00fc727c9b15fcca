//! See `isapi_host::fuzzing::filters`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| isapi_host::fuzzing::filters(input));
