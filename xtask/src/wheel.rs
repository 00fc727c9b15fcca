//! Building the package as a wheel, in one of three ways; each way keeps what it builds in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::process::{Error, root, run};
use crate::profile;

/// How the native parts are compiled.
#[derive(Debug, PartialEq, Eq)]
pub enum Build {
    Plain,
    /// Counts at work, and writes what it has counted into this folder when it ends.
    Counting(PathBuf),
    /// Optimized for what this profile has counted.
    Guided(PathBuf),
}

impl Build {
    /// The one to distribute, whose profile is made first if need be; without a profile, the plain one.
    pub fn to_distribute(no_profile: bool) -> Result<Self, Error> {
        if no_profile { Ok(Self::Plain) } else { Ok(Self::Guided(profile::made()?)) }
    }

    /// The name of its folder, and in the report of the benchmark.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Counting(_) => "counting",
            Self::Guided(_) => "profile-guided",
        }
    }

    /// What the compiler is told.
    fn flag(&self) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::Counting(folder) => Some(format!("-Cprofile-generate={}", folder.display())),
            Self::Guided(profile) => Some(format!("-Cprofile-use={}", profile.display())),
        }
    }
}

/// Builds the wheel; the result is its place under `target`.
pub fn build(build: &Build) -> Result<PathBuf, Error> {
    let folder = root().join("target/wheel").join(build.name());
    let place = folder.join("wheel");
    // In the first there may be an older version, in the second, which is setuptools' own, modules that are no more.
    for stale in [&place, &root().join("build")] {
        remove(stale)?;
    }
    let mut pip = Environment::open()?.pip("wheel");
    pip.args(["--no-deps", "--wheel-dir"]).arg(&place).arg(root()).env("CARGO_TARGET_DIR", folder.join("cargo"));
    if let Some(flag) = build.flag() {
        pip.env("CARGO_ENCODED_RUSTFLAGS", encoded(&std::env::var("RUSTFLAGS").unwrap_or_default(), &flag));
    }
    run(&mut pip)?;
    the_wheel_in(&place)
}

/// Removes a folder that need not be there.
pub fn remove(folder: &Path) -> Result<(), Error> {
    if folder.exists() { Ok(fs::remove_dir_all(folder)?) } else { Ok(()) }
}

/// The caller's flags and ours, as cargo takes them when one of them may have a space.
fn encoded(flags: &str, ours: &str) -> String {
    flags.split_whitespace().chain([ours]).collect::<Vec<_>>().join("\u{1f}")
}

fn the_wheel_in(folder: &Path) -> Result<PathBuf, Error> {
    let files = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let wheel = files.into_iter().find(|file| file.extension().is_some_and(|ending| ending == "whl"));
    wheel.ok_or_else(|| format!("pip has put no wheel into {}", folder.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_flags_stay_and_a_path_may_have_spaces() {
        let flag = Build::Guided("/a b/c".into()).flag().expect("it has one");
        assert_eq!(encoded(" -Ctarget-cpu=native  -g", &flag), "-Ctarget-cpu=native\u{1f}-g\u{1f}-Cprofile-use=/a b/c");
        assert_eq!(encoded("", "-Cx"), "-Cx");
        assert_eq!(Build::Plain.flag(), None);
    }
}
