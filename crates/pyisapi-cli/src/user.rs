//! `pyisapi user`: who may log on to a site, in a password file.

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use isapi_host::Users;

use crate::error::CliError;

/// The options of `user`.
#[derive(Args, Debug)]
pub struct UserArguments {
    /// The password file, for `pyisapi serve --users`; made if it does not exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The user, added or given another password. The password is asked for, or read from standard input.
    #[arg(value_name = "NAME")]
    name: String,
    /// Take the user out instead.
    #[arg(long)]
    remove: bool,
}

/// Adds, changes or removes a user.
pub fn change(arguments: &UserArguments) -> Result<ExitCode, CliError> {
    let UserArguments { file, name, remove } = arguments;
    let failed = |reason: String| CliError::User { file: file.clone(), reason };
    let text = read(file).map_err(|error| failed(error.to_string()))?;
    let (others, was_there) = without(&text, name);
    if *remove && !was_there {
        return Err(failed(format!("there is no user {name:?}")));
    }
    let line = if *remove { None } else { Some(Users::line(name, &password().map_err(failed)?).map_err(failed)?) };
    let lines: String = others.into_iter().chain(line).map(|line| line + "\n").collect();
    write(file, &lines).map_err(|error| failed(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text,
    }
}

/// The lines of all others, and whether the user was among them.
fn without(text: &str, name: &str) -> (Vec<String>, bool) {
    let is_theirs = |line: &&str| line.trim().split_once(':').is_some_and(|(user, _)| user == name);
    let others = text.lines().filter(|line| !is_theirs(line)).map(str::to_owned).collect();
    (others, text.lines().any(|line| is_theirs(&line)))
}

/// Asked for twice at a terminal, else the first line of standard input.
fn password() -> Result<String, String> {
    if io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).map_err(|error: io::Error| error.to_string());
        let password = ask("Password: ")?;
        return if ask("Once more: ")? == password { Ok(password) } else { Err("the two differ".to_owned()) };
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A new file takes the old one's name, and its permissions, but for those of strangers; without an old one it is for its
/// owner's eyes only.
fn write(file: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let file = &fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(format!(".new{}", std::process::id()));
    let keep_permissions = || match fs::metadata(file) {
        Ok(old) => fs::set_permissions(&fresh, without_strangers(old.permissions())),
        Err(_) => Ok(()),
    };
    let written = write_private(Path::new(&fresh), text)
        .and_then(|()| keep_permissions())
        .and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        fs::remove_file(&fresh).ok();
    }
    written
}

/// Password hashes are nobody's business.
fn without_strangers(permissions: fs::Permissions) -> fs::Permissions {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::from_mode(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o770);
    #[cfg(not(unix))]
    permissions
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(file)?, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_own_line_goes() {
        let text = "# users\nmary:$1\nmaryann:$2\n";
        assert_eq!(without(text, "mary"), (vec!["# users".to_owned(), "maryann:$2".to_owned()], true));
        assert!(!without(text, "ann").1);
    }
}
