//! What a Python script is: an extension, a filter, or both.

use std::fs;
use std::path::Path;

/// The halves that a script defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    pub extension: bool,
    pub filter: bool,
}

impl Roles {
    /// Finds out by a plain search: the script is not run for it. A script that names neither factory may get its
    /// extension by a star import.
    pub fn of(script: &Path) -> Self {
        let text = fs::read(script).unwrap_or_default();
        let roles =
            Roles { extension: defines(&text, b"__ExtensionFactory__"), filter: defines(&text, b"__FilterFactory__") };
        Roles { extension: roles.extension || !roles.filter, ..roles }
    }
}

/// Whether the script names a factory of either kind.
pub fn names_a_factory(script: &Path) -> bool {
    let text = fs::read(script).unwrap_or_default();
    defines(&text, b"__ExtensionFactory__") || defines(&text, b"__FilterFactory__")
}

/// Whether a line that is no comment begins to define `name`: by `def`, an assignment or an import.
fn defines(text: &[u8], name: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii_start();
        let starts = [&b"def "[..], b"class ", b"from ", b"import ", name].iter().any(|start| line.starts_with(start));
        starts && line.windows(name.len()).any(|window| window == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_counts_and_a_comment_does_not() {
        let name = b"__FilterFactory__";
        for yes in [
            "def __FilterFactory__():",
            "__FilterFactory__ = F",
            "from a import __FilterFactory__",
            "  def __FilterFactory__():",
        ] {
            assert!(defines(format!("import x\n{yes}\n").as_bytes(), name), "{yes}");
        }
        for no in ["# def __FilterFactory__():", "x = '__FilterFactory__'", "print(__FilterFactory__)", ""] {
            assert!(!defines(no.as_bytes(), name), "{no}");
        }
    }
}
