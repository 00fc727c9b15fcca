//! The small library beside each script: `_name.so` for `name.py`.
//!
//! It exports ISAPI's entry points, finds and starts Python at the first version call, takes the bridge's
//! table and from then on only forwards. It links neither Python nor any other library than the system's:
//! a server can always load it, and it can then say what is missing.
//!
//! [`location`] → [`sidecar`] → [`candidate`] → [`interpreter`] → [`python`] → [`exports`].

#![deny(unsafe_code)]

mod candidate;
#[expect(unsafe_code, reason = "C entry points")]
mod exports;
mod interpreter;
#[expect(unsafe_code, reason = "asks the dynamic linker for its own path")]
mod location;
mod message;
#[expect(unsafe_code, reason = "calls libpython through pointers")]
mod python;
mod sidecar;
mod start;
mod start_lock;
