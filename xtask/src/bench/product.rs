//! The servers, and the ways of using ours, that are compared.

/// A server, with the way it is used where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Native,
    Simple,
    Pool,
    /// SimpleExtension, past a filter in C that looks at the address.
    NativeFilter,
    /// The same, past one in Python.
    PythonFilter,
    TransmitFile,
    StaticFile,
    Granian,
    Gunicorn,
    Waitress,
    Nginx,
    /// Without sendfile: the bytes pass through the process, as they do in all others.
    NginxCopying,
    /// `bench/floor.c`: no server, but what any server must at least do for hello and echo.
    Floor,
    /// Three scripts, of which one is measured and the others are left alone.
    Alone,
    /// The same, while 8 connections ask for what sleeps a second.
    BesideSleepers,
    /// The same, while one asks for what is quick a thousand times and then sleeps a second.
    BesideMixed,
}

impl Product {
    /// The name in tables and charts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "pyisapi, extension in C",
            Self::Simple => "pyisapi SimpleExtension",
            Self::Pool => "pyisapi ThreadPoolExtension",
            Self::NativeFilter => "pyisapi, filter in C",
            Self::PythonFilter => "pyisapi, filter in Python",
            Self::TransmitFile => "pyisapi TransmitFile",
            Self::StaticFile => "pyisapi static files",
            Self::Granian => "Granian (WSGI)",
            Self::Gunicorn => "gunicorn (gthread)",
            Self::Waitress => "waitress",
            Self::Nginx => "nginx",
            Self::NginxCopying => "nginx, sendfile off",
            Self::Floor => "bare C loop (no HTTP server)",
            Self::Alone => "pyisapi alone",
            Self::BesideSleepers => "pyisapi beside 8 sleepers",
            Self::BesideMixed => "pyisapi beside a mixed one",
        }
    }

    /// Whether it is ours.
    pub fn is_ours(self) -> bool {
        !matches!(
            self,
            Self::Granian | Self::Gunicorn | Self::Waitress | Self::Nginx | Self::NginxCopying | Self::Floor
        )
    }
}
