//! The configuration of a site, in memory and in the terms of `applicationHost.config`.
//!
//! [`Site`] owns [`Application`]s, an application owns [`VirtualDirectory`]s and [`Handler`]s. Everything is
//! validated when it is built and immutable afterwards, so any thread may ask. Resolution turns a URL path into
//! a physical path and a handler; it never touches the network, and the file system only through the caller.
//! Out of scope: what a handler does, and the XML form.
#![forbid(unsafe_code)]

mod application;
mod authentication;
mod error;
mod error_page;
mod filter;
mod handler;
mod limits;
mod path;
mod resolve;
mod site;
mod virtual_directory;

pub use application::Application;
pub use authentication::Authentication;
pub use error::ConfigError;
pub use error_page::{ErrorAnswer, ErrorPage};
pub use filter::Filter;
pub use handler::{Handler, HandlerModule, PathPattern, ResourceType, Verbs};
pub use limits::RequestLimits;
pub use resolve::{Resolution, Resource, Selection};
pub use site::Site;
pub use virtual_directory::VirtualDirectory;
