//! The target "filters": up to three filters that do what a program says, in front of all kinds of handlers.
//!
//! `program` and `steps` are what an input means, `run` are the filters, whose steps `perform` takes by `calls`; `record`
//! knows what each of them may be notified of. `denying` is an extension that lets nobody in.

mod calls;
pub(super) mod denying;
mod perform;
mod program;
mod record;
mod run;
mod steps;

pub(super) use self::program::Program;
pub(super) use self::run::run;
