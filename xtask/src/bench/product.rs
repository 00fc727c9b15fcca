//! The servers, and the ways of using ours, that are compared.

/// A server, with the way it is used where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Native,
    Simple,
    Pool,
    TransmitFile,
    StaticFile,
    Granian,
    Gunicorn,
    Waitress,
    Nginx,
    /// Without sendfile: the bytes pass through the process, as they do in all others.
    NginxCopying,
}

impl Product {
    /// The name in tables and charts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "pyisapi, extension in C",
            Self::Simple => "pyisapi SimpleExtension",
            Self::Pool => "pyisapi ThreadPoolExtension",
            Self::TransmitFile => "pyisapi TransmitFile",
            Self::StaticFile => "pyisapi static files",
            Self::Granian => "Granian (WSGI)",
            Self::Gunicorn => "gunicorn (gthread)",
            Self::Waitress => "waitress",
            Self::Nginx => "nginx",
            Self::NginxCopying => "nginx, sendfile off",
        }
    }

    /// Whether it is ours.
    pub fn is_ours(self) -> bool {
        !matches!(self, Self::Granian | Self::Gunicorn | Self::Waitress | Self::Nginx | Self::NginxCopying)
    }
}
