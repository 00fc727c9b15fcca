//! The host from the outside: a real server on a free port, raw HTTP over TCP, and native probe libraries that are
//! compiled from C when the tests run.
#![cfg(unix)]

mod bodies;
mod child_ends;
mod errors;
mod exec_url;
mod files;
mod filter_faults;
mod filter_harness;
mod filter_heads;
mod filter_logon;
mod filter_order;
mod filter_raw;
mod harness;
mod lifecycle;
mod loading;
mod mapping;
mod numbers;
mod paces;
mod protocol;
mod reading;
mod responses;
mod stopping;
mod storm;
mod variables;
mod vectors;
