//! Asking a python program about itself: its version, its library, whether pyisapi is there.
//!
//! The question costs one short process per start, and answers for every layout (venv, system, pyenv, uv,
//! conda) what guessing at folders would get wrong for some.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::candidate::Candidate;

/// What the program must print, one value a line: version, free-threaded, executable, bridge, libraries.
const QUESTION: &str = r#"
import importlib.util, os, sys, sysconfig
sys.path[:] = [p for p in sys.path if p]
value = sysconfig.get_config_var
try:
    bridge = importlib.util.find_spec("pyisapi._bridge") is not None
except ImportError:
    bridge = False
print("%d.%d" % sys.version_info[:2])
print(int(bool(value("Py_GIL_DISABLED"))))
print(sys.executable)
print(int(bridge))
for folder in (value("LIBDIR"), os.path.join(sys.base_prefix, "lib"), os.path.join(value("LIBDIR") or "", value("MULTIARCH") or "")):
    for name in (value("INSTSONAME"), value("LDLIBRARY")):
        if folder and name and not name.endswith(".a"):
            print(os.path.join(folder, name))
"#;

/// A Python that will do.
#[derive(Debug)]
pub struct Interpreter {
    /// The program, which decides the prefix and the virtual environment.
    pub program: PathBuf,
    /// The shared library to load, by absolute path.
    pub library: PathBuf,
}

impl Interpreter {
    /// Asks `candidate`; the error is the reason why it will not do.
    pub fn ask(candidate: &Candidate) -> Result<Self, String> {
        let output = Command::new(&candidate.program)
            .args(["-c", QUESTION])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot be run ({error})"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "failed when asked about itself: {}",
                complaint.trim().lines().last().unwrap_or("no message")
            ));
        }
        let answer = String::from_utf8(output.stdout).map_err(|_| "gave paths that are not UTF-8".to_owned())?;
        Self::from_answer(&answer, |library| library.is_file())
    }

    fn from_answer(answer: &str, exists: impl Fn(&Path) -> bool) -> Result<Self, String> {
        let mut lines = answer.lines();
        let mut next = || lines.next().ok_or("gave an incomplete answer".to_owned());
        let (version, free_threaded, program, bridge) = (next()?, next()?, next()?, next()?);
        if !is_supported(version) {
            return Err(format!("is Python {version}; 3.11 or later is needed"));
        }
        if free_threaded == "1" {
            return Err(format!("is a free-threaded Python {version}, which needs a build of pyisapi of its own"));
        }
        if bridge != "1" {
            return Err(format!("has no pyisapi ({program} -m pip install pyisapi)"));
        }
        let libraries: Vec<&str> = lines.collect();
        let library = libraries.iter().map(Path::new).find(|library| exists(library)).ok_or_else(|| {
            let looked = if libraries.is_empty() {
                "it was built without one".to_owned()
            } else {
                format!("looked for {}", libraries.join(", "))
            };
            format!("has no shared library: {looked} (on Debian: apt install libpython{version})")
        })?;
        Ok(Self { program: program.into(), library: library.to_owned() })
    }
}

fn is_supported(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(3), Some(11))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: &str, free_threaded: u8, bridge: u8) -> String {
        format!("{version}\n{free_threaded}\n/venv/bin/python\n{bridge}\n/a/libpython.so\n/b/libpython.so\n")
    }

    #[test]
    fn the_first_library_that_exists_is_taken() {
        let found = Interpreter::from_answer(&answer("3.12", 0, 1), |path| path.starts_with("/b")).expect("usable");
        assert_eq!(found.library, Path::new("/b/libpython.so"));
        assert_eq!(found.program, Path::new("/venv/bin/python"));
    }

    #[test]
    fn each_reason_against_a_candidate_is_named() {
        let reason = |text: &str| Interpreter::from_answer(text, |_| false).expect_err("unusable");
        assert!(reason(&answer("3.9", 0, 1)).contains("3.11 or later"));
        assert!(reason(&answer("3.13", 1, 1)).contains("free-threaded"));
        assert!(reason(&answer("3.13", 0, 0)).contains("pip install pyisapi"));
        assert!(reason(&answer("3.13", 0, 1)).contains("/a/libpython.so, /b/libpython.so"));
        assert!(reason("3.13\n").contains("incomplete"));
    }
}
