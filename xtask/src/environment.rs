//! Virtual environments: the one in `target/venv` has the package as it lies in the source tree, others have a wheel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Error, command, root, run};

/// A virtual environment.
pub struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// Opens `target/venv`, and makes it first if need be.
    pub fn open() -> Result<Self, Error> {
        Self::at(root().join("target").join("venv"))
    }

    /// Opens another one, and makes it first if need be.
    pub fn at(folder: PathBuf) -> Result<Self, Error> {
        let environment = Self { folder };
        if !environment.python().is_file() {
            let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
            require_version(&python)?;
            run(command(&python, &["-m", "venv"]).arg(&environment.folder))?;
        }
        Ok(environment)
    }

    /// A program in the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The interpreter.
    pub fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// Installs packages from the package index, unless they are there.
    pub fn install(&self, packages: &[&str]) -> Result<(), Error> {
        let marker = self.folder.join(format!(".installed-{}", packages.join("-").replace(['=', '<', '>', '/'], "_")));
        if marker.is_file() {
            return Ok(());
        }
        run(self.pip("install").args(packages))?;
        Ok(fs::write(marker, "")?)
    }

    /// Installs a wheel, in the place of any that is there.
    pub fn install_wheel(&self, wheel: &Path) -> Result<(), Error> {
        run(self.pip("install").args(["--no-deps", "--no-index", "--force-reinstall"]).arg(wheel))
    }

    /// A command of pip.
    pub fn pip(&self, task: &str) -> Command {
        command(self.python(), &["-m", "pip", task, "--quiet", "--disable-pip-version-check"])
    }

    /// Puts the source tree's `python/` on the path, and the command `pyisapi` among the programs.
    pub fn use_source_tree(&self) -> Result<(), Error> {
        let site_packages = self.ask("import sysconfig; print(sysconfig.get_path('purelib'))")?;
        fs::write(
            Path::new(&site_packages).join("pyisapi-source-tree.pth"),
            format!("{}\n", root().join("python").display()),
        )?;
        let script =
            format!("#!{}\nimport sys\nfrom pyisapi.__main__ import main\nsys.exit(main())\n", self.python().display());
        let place = self.program("pyisapi");
        fs::write(&place, script)?;
        make_executable(&place)
    }

    /// Runs a line of Python and returns what it prints.
    fn ask(&self, line: &str) -> Result<String, Error> {
        let output = Command::new(self.python()).args(["-c", line]).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

fn require_version(python: &str) -> Result<(), Error> {
    let check = "import sys; sys.exit(sys.version_info < (3, 11))";
    let status = Command::new(python)
        .args(["-c", check])
        .status()
        .map_err(|error| format!("{python} cannot be run: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{python} is older than 3.11; set PYTHON to another").into())
}

fn make_executable(file: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}
