//! The server's side of ISAPI: what IIS is to an extension.
//!
//! ```text
//! listen ─ connection ─ site ─┬─ static_file, file_body
//!  (tasks of an event loop)   │
//!                             └─ executor ─ extension: session, control block ─ the library's HttpExtensionProc
//!                                (the seam)
//! ```
//!
//! A connection reads requests and hands each to `site`, which finds the handler. A file is sent by the system. A
//! request for an extension becomes a session, and `executor` decides on which thread the library is called: that of
//! the event loop, or another. What the extension writes goes through a pipe back to the connection. Filters will stand
//! between `connection` and `site`, in a module `pipeline`; TLS between `listen` and `connection`, which takes any
//! [`Socket`](stream::Socket).
//!
//! The host knows neither Python nor what a library does. Nothing that a client or a library does may end the server.
#![deny(unsafe_code)]

mod access_log;
mod authentication;
mod body;
mod clock;
mod connection;
mod connections;
mod error;
mod error_page;
mod exchange;
mod executor;
mod extension;
mod file_body;
#[cfg(all(feature = "fuzzing", target_os = "linux"))]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod lineage;
mod link;
mod listen;
mod lock;
mod native_library;
mod options;
mod pipeline;
mod place;
mod raw;
mod repeated;
mod request_host;
mod request_path;
mod server;
mod server_variables;
mod site;
mod static_file;
mod stream;
mod termination;
mod url_map;
mod win32;

pub use access_log::AccessLogTarget;
pub use authentication::Users;
pub use error::HostError;
pub use executor::ExecutorOptions;
pub use listen::Listen;
pub use options::{FilterProfile, ServerOptions, Timeouts};
pub use pipeline::{Step, Trace, TraceSink};
pub use server::Server;
