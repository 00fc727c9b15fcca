//! What scripts learn through the environment of the process.

/// Lets error pages show tracebacks (`ISAPI_DEBUG=1`).
#[expect(unsafe_code, reason = "the environment is shared with C code")]
pub fn show_tracebacks() {
    // SAFETY: called first thing in `main`, before any thread exists that could read the environment.
    unsafe { std::env::set_var("ISAPI_DEBUG", "1") };
}
