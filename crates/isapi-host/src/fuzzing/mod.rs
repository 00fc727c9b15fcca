//! What the fuzz targets of `fuzz/` run: one function for each target, which takes one input and panics when the
//! server does what it must not.
//!
//! `stage` is a server without a network, `wire` the client's side of its connections, `replies` what may come out of
//! them. Target "request" is `echo`, a module that checks what it is given. Target "calls" is `program`, what a module
//! and a client do, and `module`, which does it by `perform` and keeps `books`. Target "filters" is `filters`. Target
//! "parsers" needs no server. One input at a time is played, on threads of the server; what goes wrong ends the process,
//! wherever it happens.

mod books;
mod calls;
mod echo;
mod filters;
mod memory;
mod module;
mod operations;
mod parsers;
mod perform;
mod plain;
mod program;
mod replies;
mod stage;
mod wire;

use std::sync::Arc;

pub use self::parsers::parsers;

/// The bytes of a connection, and where they are cut; see `wire::Script::of_request` for their form.
///
/// # Panics
/// When the server breaks HTTP, or gives a module what the contract does not allow.
pub fn request(input: &[u8]) {
    stage::play(|stage| {
        let (played, echoed) = echo::listen(|| stage.serve(wire::Script::of_request(input)));
        echo::check(&played.replies(), &echoed);
    });
}

/// A program of calls that a module makes, and a client; see the module `program` for their form.
///
/// # Panics
/// When the server breaks HTTP, or its promises to a module.
pub fn calls(input: &[u8]) {
    let Some(program) = program::Program::read(input) else { return };
    let program = Arc::new(program);
    stage::play(|stage| {
        let played = module::run(&program, || stage.serve(program.script()));
        plain::check(&played);
    });
}

/// A program of what up to three filters do, and a client; see the module `filters::program` for their form.
///
/// # Panics
/// When the server breaks HTTP, or its promises to a filter.
pub fn filters(input: &[u8]) {
    let Some(program) = filters::Program::read(input) else { return };
    stage::play_filtered(|stage| {
        let serve = |program: &filters::Program, chain: &_| stage.serve_past(program.script(), Some(chain));
        let ((played, is_whole), _) = echo::listen(|| filters::run(program, serve));
        if is_whole {
            played.replies();
        }
    });
}
