//! A handler mapping: which requests of an application go to which module.

use std::path::PathBuf;

use crate::ConfigError;

/// One entry of `system.webServer/handlers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// The key of the entry, for messages.
    pub name: String,
    /// Which paths it takes.
    pub path: PathPattern,
    /// Which methods it takes.
    pub verbs: Verbs,
    /// What answers.
    pub module: HandlerModule,
    /// `allowPathInfo`: PATH_INFO has the extra path only, as in CGI, instead of the whole path.
    pub allow_path_info: bool,
    /// `resourceType`: what must exist at the mapped path for the entry to apply.
    pub resource_type: ResourceType,
}

impl Handler {
    /// A handler with IIS's defaults for all that is not given.
    ///
    /// # Errors
    /// When the name is empty, `path` is none of the known patterns, or `verbs` names no verb.
    pub fn new(name: impl Into<String>, path: &str, verbs: &str, module: HandlerModule) -> Result<Self, ConfigError> {
        let name = name.into();
        if name.is_empty() {
            return Err(ConfigError::Name { element: "handler", name, expected: "a name that is not empty" });
        }
        if let HandlerModule::Isapi { script_processor: Some(library) } = &module
            && !library.is_absolute()
        {
            let path = library.display().to_string();
            return Err(ConfigError::NotAbsolute { element: "scriptProcessor", path });
        }
        Ok(Handler {
            name,
            path: path.parse()?,
            verbs: verbs.parse()?,
            module,
            allow_path_info: false,
            resource_type: ResourceType::Unspecified,
        })
    }

    /// Whether its library is the same for every request, because `scriptProcessor` names it.
    #[must_use]
    pub fn names_library(&self) -> bool {
        matches!(self.module, HandlerModule::Isapi { script_processor: Some(_) })
    }

    /// The same handler with `allowPathInfo` set.
    #[must_use]
    pub fn with_path_info(self, allow_path_info: bool) -> Self {
        Handler { allow_path_info, ..self }
    }

    /// The same handler with `resourceType` set.
    #[must_use]
    pub fn with_resource_type(self, resource_type: ResourceType) -> Self {
        Handler { resource_type, ..self }
    }
}

/// What answers the requests of a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandlerModule {
    /// `IsapiModule`: an ISAPI extension.
    Isapi {
        /// The library; `None` means that the requested file itself is the library.
        script_processor: Option<PathBuf>,
    },
    /// `StaticFileModule` with `DefaultDocumentModule`: the file at the mapped path.
    StaticFile,
}

/// What must exist at the mapped path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResourceType {
    /// Nothing need exist.
    #[default]
    Unspecified,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A file or a directory.
    Either,
}

/// Which paths, relative to the application, a handler takes. Letters compare without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// `*`: all of them.
    Any,
    /// `*.ext`: a segment ends so; later segments are extra path. The text has its dot.
    Extension(String),
    /// `name.ext`: a segment is this; later segments are extra path.
    Name(String),
    /// `dir/*`: below this folder. The text has neither a leading nor a trailing slash.
    Below(String),
}

impl std::str::FromStr for PathPattern {
    type Err = ConfigError;

    fn from_str(pattern: &str) -> Result<Self, ConfigError> {
        let plain = |text: &str| !text.is_empty() && !text.contains(['*', '?', '\\']);
        if pattern == "*" {
            return Ok(PathPattern::Any);
        }
        if let Some(extension) = pattern.strip_prefix('*') {
            let usable = extension.starts_with('.') && extension.len() > 1;
            if usable && plain(extension) && !extension.contains('/') {
                return Ok(PathPattern::Extension(extension.to_owned()));
            }
        } else if let Some(folder) = pattern.strip_suffix("/*") {
            let folder = folder.trim_matches('/');
            if plain(folder) {
                return Ok(PathPattern::Below(folder.to_owned()));
            }
        } else if plain(pattern) && !pattern.contains('/') {
            return Ok(PathPattern::Name(pattern.to_owned()));
        }
        Err(ConfigError::Pattern { pattern: pattern.to_owned() })
    }
}

impl PathPattern {
    /// The length of the script's part of `path` when the pattern takes it, else `None`.
    ///
    /// `path` is relative to the application and starts with `/` unless empty.
    #[must_use]
    pub fn script_length(&self, path: &str) -> Option<usize> {
        match self {
            PathPattern::Any => Some(path.len()),
            PathPattern::Extension(extension) => segment_end(path, |segment| {
                let tail = segment.len().checked_sub(extension.len()).and_then(|start| segment.as_bytes().get(start..));
                tail.is_some_and(|tail| tail.eq_ignore_ascii_case(extension.as_bytes()))
            }),
            PathPattern::Name(name) => segment_end(path, |segment| segment.eq_ignore_ascii_case(name)),
            PathPattern::Below(folder) => {
                let rest = crate::path::strip_prefix(path.strip_prefix('/')?, folder)?;
                rest.starts_with('/').then_some(path.len())
            }
        }
    }
}

/// Where the first segment that `is_script` takes ends.
fn segment_end(path: &str, is_script: impl Fn(&str) -> bool) -> Option<usize> {
    let mut end = 0;
    for segment in path.split('/') {
        end += segment.len();
        if !segment.is_empty() && is_script(segment) {
            return Some(end);
        }
        end += 1;
    }
    None
}

/// Which methods a handler takes. They compare exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verbs {
    /// `*`: every method.
    Any,
    /// Those named.
    List(Vec<String>),
}

impl Verbs {
    /// Whether `method` is among them.
    #[must_use]
    pub fn contains(&self, method: &str) -> bool {
        match self {
            Verbs::Any => true,
            Verbs::List(verbs) => verbs.iter().any(|verb| verb == method),
        }
    }
}

impl std::str::FromStr for Verbs {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        if text.trim() == "*" {
            return Ok(Verbs::Any);
        }
        let verbs: Vec<String> =
            text.split(',').map(str::trim).filter(|verb| !verb.is_empty()).map(str::to_owned).collect();
        if verbs.is_empty() {
            return Err(ConfigError::Verbs { verbs: text.to_owned() });
        }
        Ok(Verbs::List(verbs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(pattern: &str, path: &str) -> Option<usize> {
        pattern.parse::<PathPattern>().expect("a pattern").script_length(path)
    }

    #[test]
    fn patterns_find_the_script() {
        assert_eq!(length("*", "/a/b"), Some(4));
        assert_eq!(length("*.wsgi", "/s.WSGI/proc"), Some(7));
        assert_eq!(length("*.wsgi", "/s.wsgi"), Some(7));
        assert_eq!(length("*.wsgi", "/d/s.wsgix"), None);
        assert_eq!(length("hello.dll", "/x/Hello.dll/y"), Some(12));
        assert_eq!(length("api/*", "/API/x"), Some(6));
        assert_eq!(length("api/*", "/api"), None);
        assert_eq!(length("api/*", "/apix/y"), None);
    }

    #[test]
    fn odd_patterns_and_verbs_are_refused() {
        for bad in ["", "**", "*wsgi", "*.", "a/b", "a*b", "*.a/b"] {
            assert!(bad.parse::<PathPattern>().is_err(), "{bad}");
        }
        assert!(" , ".parse::<Verbs>().is_err());
    }

    #[test]
    fn verbs_compare_exactly() {
        let verbs: Verbs = "GET, POST".parse().expect("verbs");
        assert!(verbs.contains("GET") && verbs.contains("POST"));
        assert!(!verbs.contains("get") && !verbs.contains("HEAD"));
    }
}
