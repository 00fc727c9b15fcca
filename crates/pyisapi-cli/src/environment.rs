//! What scripts learn through the environment of the process.
//!
//! Both are called first thing in `main`, before any thread exists that could read the environment.
#![expect(unsafe_code, reason = "the environment is shared with C code")]

/// Lets error pages show tracebacks (`ISAPI_DEBUG=1`).
pub fn show_tracebacks() {
    // SAFETY: no other thread exists yet; see the module.
    unsafe { std::env::set_var("ISAPI_DEBUG", "1") };
}

/// Has scripts' prints and tracebacks written as JSON objects too (`PYISAPI_LOG_FORMAT=json`).
pub fn log_json() {
    // SAFETY: no other thread exists yet; see the module.
    unsafe { std::env::set_var("PYISAPI_LOG_FORMAT", "json") };
}
