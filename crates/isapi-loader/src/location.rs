//! Where this library lies, and which script that makes it serve.

use std::ffi::c_void;
use std::path::{Path, PathBuf};

use crate::message::LoadError;

/// The library's place and the script's name.
#[derive(Debug, Clone)]
pub struct Location {
    /// The library's own absolute path.
    pub library: PathBuf,
    /// The module's name: the file name without extension, less its first character.
    pub module: String,
    /// What the dynamic linker calls the library.
    pub handle: *mut c_void,
}

impl Location {
    /// Asks the dynamic linker.
    pub fn find() -> Result<Self, LoadError> {
        let (library, handle) = own_library();
        let module = module_name(&library).ok_or_else(|| LoadError::OwnName { library: library.clone() })?;
        Ok(Self { library, module, handle })
    }

    /// The folder of library and script.
    pub fn folder(&self) -> &Path {
        self.library.parent().unwrap_or(Path::new("."))
    }

    /// The sidecar file: the library's name with the ending `.cfg`.
    pub fn sidecar(&self) -> PathBuf {
        self.library.with_extension("cfg")
    }
}

/// `_probe.so` → `probe`, `_a.b.so` → `a.b`: the first character goes, whatever it is.
fn module_name(library: &Path) -> Option<String> {
    let stem = library.file_stem()?.to_str()?;
    let mut characters = stem.chars();
    characters.next()?;
    let name = characters.as_str();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(unix)]
fn own_library() -> (PathBuf, *mut c_void) {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;

    static ANCHOR: u8 = 0;
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: the address lies in this library and the struct is ours.
    let found = unsafe { libc::dladdr((&raw const ANCHOR).cast(), &mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return (PathBuf::new(), std::ptr::null_mut());
    }
    // SAFETY: dladdr filled in a NUL-terminated name that lives as long as the library is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    // SAFETY: NOLOAD only looks the loaded library up; it stays loaded, so the handle stays good.
    let handle = unsafe { libc::dlopen(info.dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    (std::path::absolute(path).unwrap_or_else(|_| path.to_owned()), handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_and_the_extension_go() {
        for (library, module) in
            [("/s/_probe.so", "probe"), ("/s/Xprobe.so", "probe"), ("/s/_a.b.so", "a.b"), ("/s/_übung.so", "übung")]
        {
            assert_eq!(module_name(Path::new(library)).as_deref(), Some(module));
        }
    }

    #[test]
    fn a_name_of_one_character_names_no_module() {
        assert_eq!(module_name(Path::new("/s/_.so")), None);
    }
}
