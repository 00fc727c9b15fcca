//! `system.webServer/isapiFilters`: the filter libraries of a site.

use std::path::{Path, PathBuf};

use crate::ConfigError;

/// One `<filter>`: a library by the name under which messages speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    name: String,
    path: PathBuf,
}

impl Filter {
    /// The filter `name` in the library `path`.
    ///
    /// # Errors
    /// When the name is empty or has control characters, or the path is not absolute.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let (name, path) = (name.into(), path.into());
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(ConfigError::Name { element: "filter", name, expected: "a name without control characters" });
        }
        if !path.is_absolute() {
            return Err(ConfigError::NotAbsolute { element: "filter", path: path.display().to_string() });
        }
        Ok(Filter { name, path })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_needs_a_name_and_an_absolute_path() {
        let folder = if cfg!(windows) { "C:\\srv\\_f.dll" } else { "/srv/_f.so" };
        assert_eq!(Filter::new("f", folder).map(|filter| filter.name().to_owned()), Ok("f".to_owned()));
        for (name, path) in [("", folder), ("a\nb", folder), ("f", "f.so")] {
            assert!(Filter::new(name, path).is_err(), "{name:?} {path}");
        }
    }
}
