//! The extension side of a server: from a request that is to be answered by an ISAPI extension to its response.
//!
//! `registry` and `library` load extensions; `session` is one request in an extension's hands, with its
//! `control_block`, `request_body`, `response` and `completion`s; `callbacks` and `support` are what the extension
//! calls; `sessions` finds the session it means. Unsafe code is in the modules that say so and nowhere else.

mod callbacks;
mod child;
pub(crate) mod chunked;
mod completion;
mod control_block;
mod dispatch;
mod file_range;
mod framing;
pub(crate) mod implicit_head;
mod lent;
mod library;
mod origin;
pub(crate) mod pipe;
pub(crate) mod registry;
pub(crate) mod request_body;
pub(crate) mod request_facts;
mod response;
pub(crate) mod response_head;
mod sending;
mod session;
pub(crate) mod sessions;
mod support;

pub(crate) use dispatch::{Target, Waiting, answer, script_length};
pub(crate) use library::Extension;
