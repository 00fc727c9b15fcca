//! Paths of URLs: the rules for configured ones, and whole-segment prefixes.

use crate::ConfigError;

/// Checks the path of an application or a virtual directory.
pub(crate) fn validate(element: &'static str, path: &str) -> Result<(), ConfigError> {
    let refuse = |expected| Err(ConfigError::Path { element, path: path.to_owned(), expected });
    if !path.starts_with('/') {
        return refuse("a path that starts with /");
    }
    if path == "/" {
        return Ok(());
    }
    if path.ends_with('/') {
        return refuse("a path without a / at its end");
    }
    if path.contains(['\\', '?', '#', '*']) || path.chars().any(char::is_control) {
        return refuse("a path without backslash, ?, #, * and control characters");
    }
    if path[1..].split('/').any(|segment| segment.is_empty()) {
        return refuse("a path without empty segments");
    }
    if path[1..].split('/').any(|segment| matches!(segment, "." | "..")) {
        return refuse("a path without . and .. segments");
    }
    Ok(())
}

/// What remains of `path` behind `prefix`, when `prefix` is made of whole segments of it.
///
/// The remainder is empty or starts with `/`. Letters of ASCII compare without case.
pub(crate) fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix == "/" {
        return Some(path);
    }
    let head = path.as_bytes().get(..prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix.as_bytes()) {
        return None;
    }
    // The prefix ends on a character boundary of its own, so of an equal head too.
    let rest = path.get(prefix.len()..)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_paths_are_checked() {
        for good in ["/", "/app", "/app/sub", "/a.b", "/ä"] {
            assert_eq!(validate("application", good), Ok(()), "{good}");
        }
        for bad in ["", "app", "/app/", "//", "/a//b", "/a/./b", "/..", "/a\\b", "/a?b", "/a\nb"] {
            assert!(validate("application", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_is_made_of_whole_segments() {
        assert_eq!(strip_prefix("/App/x", "/app"), Some("/x"));
        assert_eq!(strip_prefix("/app", "/app"), Some(""));
        assert_eq!(strip_prefix("/apple", "/app"), None);
        assert_eq!(strip_prefix("/x", "/"), Some("/x"));
        assert_eq!(strip_prefix("/ap", "/app"), None);
    }
}
