//! Which Pythons may serve a script, in the order in which they are tried.

use std::path::{Path, PathBuf};

/// A python program and why it is tried.
#[derive(Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it comes from, for the message.
    pub origin: &'static str,
    /// The program; a bare name is looked up on `PATH`.
    pub program: PathBuf,
}

/// Without a sidecar: the virtual environment beside the script, the interpreter of the `pyisapi` command
/// that runs the server, the active virtual environment, the default Python.
pub fn candidates(script_folder: &Path, variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<Candidate> {
    let beside = script_folder.join(".venv");
    let beside =
        beside.exists().then(|| Candidate { origin: ".venv beside the script", program: in_environment(&beside) });
    let server = variable("PYISAPI_PYTHON").map(|program| Candidate { origin: "PYISAPI_PYTHON", program });
    let active =
        variable("VIRTUAL_ENV").map(|folder| Candidate { origin: "VIRTUAL_ENV", program: in_environment(&folder) });
    let default = Candidate { origin: "python3 on PATH", program: "python3".into() };
    beside.into_iter().chain(server).chain(active).chain([default]).collect()
}

/// The interpreter that a sidecar names.
pub fn from_sidecar(program: PathBuf) -> Candidate {
    Candidate { origin: "the sidecar file", program }
}

fn in_environment(folder: &Path) -> PathBuf {
    if cfg!(windows) { folder.join("Scripts").join("python.exe") } else { folder.join("bin").join("python") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_interpreter_comes_before_the_active_environment() {
        let variable = |name: &str| match name {
            "PYISAPI_PYTHON" => Some("/server/bin/python".into()),
            "VIRTUAL_ENV" => Some("/active".into()),
            _ => None,
        };
        let origins: Vec<_> = candidates(Path::new("/nowhere"), variable).into_iter().map(|c| c.origin).collect();
        assert_eq!(origins, ["PYISAPI_PYTHON", "VIRTUAL_ENV", "python3 on PATH"]);
    }
}
