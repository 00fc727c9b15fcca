//! `pyisapi._bridge`: Python objects over the C structs of ISAPI.
//!
//! The loader calls in through [`table`]; [`script`], [`half`] and [`handler`] own the script's module and handlers;
//! [`lease`] guards the server's request; [`control_block`] and [`version_info`] are what scripts see;
//! [`port`] is the thread pool's queue, whose workers [`queue`] wakes; [`operation`] keeps what an asynchronous call
//! needs, and [`completion`] brings its result back.
//! Nothing here knows the host: any ISAPI server will do.

#![deny(unsafe_code)]

#[expect(unsafe_code, reason = "borrowed Python memory goes to the server")]
mod arguments;
mod asynchronous;
#[expect(unsafe_code, reason = "thread states have no safe interface")]
mod attach;
#[expect(unsafe_code, reason = "structs for the server's requests")]
mod certificate;
#[expect(unsafe_code, reason = "the server calls back")]
mod completion;
#[expect(unsafe_code, reason = "requests of the server")]
mod connection;
#[expect(unsafe_code, reason = "members of the server's struct")]
mod control_block;
#[expect(unsafe_code, reason = "structs for the server's requests")]
mod custom_error;
mod errors;
#[expect(unsafe_code, reason = "structs for the server's requests")]
mod exec_url;
#[expect(unsafe_code, reason = "takes the server's pointers")]
mod extension;
mod failure;
mod file_handle;
#[expect(unsafe_code, reason = "takes the server's pointers")]
mod filter;
#[expect(unsafe_code, reason = "calls the server's functions")]
mod filter_calls;
#[expect(unsafe_code, reason = "members of the server's struct")]
mod filter_context;
#[expect(unsafe_code, reason = "members of the server's structs")]
mod filter_data;
#[expect(unsafe_code, reason = "members of the server's structs")]
mod filter_events;
#[expect(unsafe_code, reason = "calls the server's functions")]
mod filter_headers;
mod filter_log;
#[expect(unsafe_code, reason = "takes the server's pointer")]
mod filter_version;
mod gate;
mod half;
mod handler;
#[expect(unsafe_code, reason = "the one owner of the server's pointer")]
mod lease;
#[expect(unsafe_code, reason = "the server's struct")]
mod lent;
#[expect(unsafe_code, reason = "structs for the server's requests")]
mod mapping;
#[expect(unsafe_code, reason = "asks the server")]
mod never_waits;
mod operation;
mod port;
mod queue;
#[expect(unsafe_code, reason = "the server writes into the buffer")]
mod reading;
mod results;
mod script;
#[expect(unsafe_code, reason = "calls the server's functions")]
mod server_calls;
#[expect(unsafe_code, reason = "structs for the server's requests")]
mod support;
#[expect(unsafe_code, reason = "C entry points")]
mod table;
mod terminated;
#[expect(unsafe_code, reason = "structs for the server's requests")]
mod transmit;
#[expect(unsafe_code, reason = "structs for the server's requests")]
mod vector;
#[expect(unsafe_code, reason = "the server's struct")]
mod version_info;

use pyo3::prelude::*;

/// See [`lease::live`].
#[pyfunction]
fn live_requests() -> usize {
    lease::live()
}

/// The module's initialisation: the types and the loader's table.
#[pymodule(gil_used = false)]
fn _bridge(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("table", table::capsule(module.py())?)?;
    module.add_function(wrap_pyfunction!(live_requests, module)?)?;
    module.add_class::<control_block::ControlBlock>()?;
    module.add_class::<version_info::VersionInfo>()?;
    module.add_class::<filter_context::FilterContext>()?;
    module.add_class::<filter_version::FilterVersion>()?;
    module.add_class::<filter_headers::PreprocHeaders>()?;
    module.add_class::<filter_headers::SendResponse>()?;
    module.add_class::<filter_headers::AuthComplete>()?;
    module.add_class::<filter_events::UrlMap>()?;
    module.add_class::<filter_events::RawData>()?;
    module.add_class::<filter_events::Authent>()?;
    module.add_class::<filter_events::AccessDenied>()?;
    module.add_class::<filter_log::Log>()?;
    module.add_class::<port::Overlapped>()?;
    module.add_class::<port::CompletionPort>()?;
    Ok(())
}
