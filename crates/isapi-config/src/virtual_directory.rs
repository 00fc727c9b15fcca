//! A virtual directory: a URL path and the folder behind it.

use std::ffi::OsString;
use std::path::{MAIN_SEPARATOR_STR, Path, PathBuf};

use crate::{ConfigError, path};

/// A folder that shows up at a path below its application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualDirectory {
    path: String,
    physical_path: PathBuf,
    links_lead_out: bool,
}

impl VirtualDirectory {
    /// A virtual directory at `path`, relative to its application, over the folder `physical_path`.
    ///
    /// # Errors
    /// When `path` is not a valid path or `physical_path` is not absolute.
    pub fn new(path: impl Into<String>, physical_path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let (path, physical_path) = (path.into(), physical_path.into());
        path::validate("virtualDirectory", &path)?;
        if !physical_path.is_absolute() {
            let path = physical_path.display().to_string();
            return Err(ConfigError::NotAbsolute { element: "virtualDirectory", path });
        }
        Ok(VirtualDirectory { path, physical_path, links_lead_out: false })
    }

    /// The same directory, whose symbolic links may lead to files outside of its folder, or to files inside that
    /// could not be asked for by their own names. Without this, such links lead nowhere.
    #[must_use]
    pub fn with_links_out(self) -> Self {
        VirtualDirectory { links_lead_out: true, ..self }
    }

    /// Whether symbolic links may lead out of the folder.
    #[must_use]
    pub fn links_lead_out(&self) -> bool {
        self.links_lead_out
    }

    /// The path below the application; `/` is the application's own folder.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The folder.
    #[must_use]
    pub fn physical_path(&self) -> &Path {
        &self.physical_path
    }

    /// The file name that `rest`, a path below this directory, stands for. Nothing need exist there.
    ///
    /// The name is put together as text: no segment can replace the folder, and `.` and `..` are left out.
    #[must_use]
    pub fn map(&self, rest: &str) -> PathBuf {
        let mut name = OsString::with_capacity(self.physical_path.as_os_str().len() + rest.len() + 1);
        name.push(&self.physical_path);
        let is_separator = |c: char| c == '/' || (cfg!(windows) && c == '\\');
        for segment in rest.split(is_separator).filter(|part| !matches!(*part, "" | "." | "..")) {
            if !name.as_encoded_bytes().ends_with(MAIN_SEPARATOR_STR.as_bytes()) {
                name.push(MAIN_SEPARATOR_STR);
            }
            name.push(segment);
        }
        if rest.len() > 1 && rest.ends_with('/') {
            name.push(MAIN_SEPARATOR_STR);
        }
        PathBuf::from(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn mapping_stays_inside_the_folder() {
        let directory = VirtualDirectory::new("/", "/srv/app").expect("valid");
        let mapped = |rest| directory.map(rest).into_os_string().into_string().expect("text");
        assert_eq!(mapped("/a/b.txt"), "/srv/app/a/b.txt");
        assert_eq!(mapped("/../../etc/passwd"), "/srv/app/etc/passwd");
        assert_eq!(mapped("//etc//passwd"), "/srv/app/etc/passwd");
        assert_eq!(mapped("/folder/"), "/srv/app/folder/");
        assert_eq!(mapped("/"), "/srv/app");
        assert_eq!(mapped(""), "/srv/app");
    }

    #[test]
    fn a_relative_folder_is_refused() {
        let error = VirtualDirectory::new("/", "www").expect_err("relative");
        assert_eq!(
            error.to_string(),
            "ISAPI0407 virtualDirectory has the file path \"www\"; expected an absolute path"
        );
    }
}
