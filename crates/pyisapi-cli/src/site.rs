//! The site that the command line describes: the model that `applicationHost.config` would give.

use std::fs;
use std::path::{Path, PathBuf};

use isapi_config::{Application, ConfigError, Filter, Handler, HandlerModule, Site, VirtualDirectory};

use crate::error::CliError;
use crate::mount::Mount;
use crate::placing::library_for;

/// A mount whose library is in place.
pub struct Placed {
    pub mount: Mount,
    pub library: PathBuf,
}

/// Puts the loaders in place.
pub fn place(mounts: Vec<Mount>) -> Result<Vec<Placed>, CliError> {
    mounts.into_iter().map(|mount| Ok(Placed { library: library_for(&mount.script)?, mount })).collect()
}

/// One application per mount; what is left at `/` are the files below `root`, if there is one.
pub fn build(placed: &[Placed], root: Option<&Path>) -> Result<Site, CliError> {
    let root = root.map(|root| fs::canonicalize(root).map_err(|error| CliError::script(root, error))).transpose()?;
    let mut applications = Vec::new();
    for place in placed {
        applications.push(application(place, root.as_deref())?);
    }
    if !placed.iter().any(|place| place.mount.prefix == "/") {
        applications.push(files(root.as_deref())?);
    }
    Ok(Site::new(1, "Default Web Site", applications)?)
}

/// The filters, by the names of their scripts; puts their loaders in place.
pub fn filters(scripts: &[PathBuf]) -> Result<Vec<Filter>, CliError> {
    let stem = |script: &Path| script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let filter = |(index, script): (usize, &PathBuf)| {
        let name = stem(script);
        let namesakes = scripts[..index].iter().filter(|other| stem(other) == name).count();
        let name = if namesakes == 0 { name } else { format!("{name} ({})", namesakes + 1) };
        Ok(Filter::new(name, library_for(script)?)?)
    };
    scripts.iter().enumerate().map(filter).collect()
}

fn application(placed: &Placed, root: Option<&Path>) -> Result<Application, ConfigError> {
    let beside = placed.library.parent().unwrap_or(Path::new("/"));
    let folder = if placed.mount.prefix == "/" { root.unwrap_or(beside) } else { beside };
    let module = HandlerModule::Isapi { script_processor: Some(placed.library.clone()) };
    let mut handlers = vec![Handler::new("Script", "*", "*", module)?];
    if placed.mount.prefix == "/" && root.is_some() {
        // The script takes everything; what it lets the server answer (EXEC_URL) are the files behind it.
        handlers.push(static_files()?);
    }
    let application =
        Application::new(placed.mount.prefix.as_str(), vec![VirtualDirectory::new("/", folder)?], handlers)?;
    Ok(application.with_default_documents(default_documents()))
}

fn static_files() -> Result<Handler, ConfigError> {
    Handler::new("StaticFile", "*", "GET,HEAD", HandlerModule::StaticFile)
}

fn default_documents() -> Vec<String> {
    vec!["index.html".to_owned()]
}

/// Without a root nothing handles the rest: 404.
fn files(root: Option<&Path>) -> Result<Application, ConfigError> {
    let handlers = match root {
        Some(_) => vec![static_files()?],
        None => Vec::new(),
    };
    let folder = root.unwrap_or(Path::new("/"));
    let application = Application::new("/", vec![VirtualDirectory::new("/", folder)?], handlers)?;
    Ok(application.with_default_documents(default_documents()))
}
