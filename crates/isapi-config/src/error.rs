//! What can be wrong with a configuration: the value found and what was expected instead.

use thiserror::Error;

/// A value that the configuration cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A path of an application or a virtual directory has the wrong form.
    #[error("ISAPI0401 {element} has the path {path:?}; expected {expected}")]
    Path {
        /// `application` or `virtualDirectory`.
        element: &'static str,
        /// The path as given.
        path: String,
        /// The rule it breaks.
        expected: &'static str,
    },
    /// An element that must be there is missing.
    #[error("ISAPI0402 {parent} has no {element} with the path \"/\"; expected exactly one")]
    MissingRoot {
        /// The element that lacks it, by name.
        parent: String,
        /// `application` or `virtualDirectory`.
        element: &'static str,
    },
    /// Two elements have the same key.
    #[error("ISAPI0403 {parent} has two of {element} {key:?}; expected each once")]
    Duplicate {
        /// The element that holds both, by name.
        parent: String,
        /// The kind of the two.
        element: &'static str,
        /// The key they share.
        key: String,
    },
    /// A name is empty or has characters that it may not have.
    #[error("ISAPI0404 {element} has the name {name:?}; expected {expected}")]
    Name {
        /// The kind of element.
        element: &'static str,
        /// The name as given.
        name: String,
        /// The rule it breaks.
        expected: &'static str,
    },
    /// A handler's path is none of the forms that IIS knows.
    #[error("ISAPI0405 the handler path {pattern:?} is not supported; expected *, *.ext, name.ext or dir/*")]
    Pattern {
        /// The path as given.
        pattern: String,
    },
    /// A handler's verb list has no verb in it.
    #[error("ISAPI0406 the handler verb list {verbs:?} names no verb; expected * or a comma list such as GET,POST")]
    Verbs {
        /// The list as given.
        verbs: String,
    },
    /// An error page has a status or a target that it cannot have.
    #[error("ISAPI0408 the error page for {page} is not valid; expected {expected}")]
    ErrorPage {
        /// Status and sub-status.
        page: String,
        /// The rule it breaks.
        expected: &'static str,
    },
    /// A physical path that must be absolute is not.
    #[error("ISAPI0407 {element} has the file path {path:?}; expected an absolute path")]
    NotAbsolute {
        /// The kind of element.
        element: &'static str,
        /// The path as given.
        path: String,
    },
}
