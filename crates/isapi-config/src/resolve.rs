//! From a URL path to application, folder and handler.
//!
//! The longest application path that is a whole-segment prefix wins, then the longest virtual directory in it;
//! then the first handler in order whose verb, path and resource type fit. Paths given to this module are decoded
//! and have no `.` or `..` segments.

use std::path::{Path, PathBuf};

use crate::{Application, Handler, ResourceType, Site, VirtualDirectory, path};

/// Where a URL path leads.
#[derive(Debug, Clone)]
pub struct Resolution<'a> {
    /// The application it belongs to.
    pub application: &'a Application,
    /// The virtual directory inside the application.
    pub virtual_directory: &'a VirtualDirectory,
    /// The file name that the whole path stands for. Nothing need exist there.
    pub physical_path: PathBuf,
    /// The whole path as given.
    url_path: &'a str,
    /// The part behind the application's path.
    below_application: &'a str,
}

/// What exists at a physical path; the caller looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Nothing, or nothing that may be seen.
    Missing,
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// The handler that answers, and the path split in its terms.
#[derive(Debug, Clone)]
pub struct Selection<'a> {
    /// The handler.
    pub handler: &'a Handler,
    /// The path of the script: the whole path for a wildcard map, up to the script for the others.
    pub script_path: &'a str,
    /// What follows the script, with its leading `/`; often empty.
    pub extra_path: &'a str,
    /// The handler's position in its application.
    pub position: usize,
    directory: &'a VirtualDirectory,
    rest: &'a str,
}

impl Selection<'_> {
    /// The file name that the script's path stands for.
    #[must_use]
    pub fn script_physical_path(&self) -> PathBuf {
        self.directory.map(self.rest)
    }
}

impl Site {
    /// Finds where `url_path` leads.
    #[must_use]
    pub fn resolve<'a>(&'a self, url_path: &'a str) -> Resolution<'a> {
        let (application, below_application) = self
            .applications()
            .iter()
            .filter_map(|application| Some((application, path::strip_prefix(url_path, application.path())?)))
            .max_by_key(|(application, _)| application.path().len())
            .expect("the constructor made sure of the application /, which is a prefix of every path");
        let (virtual_directory, rest) = application.directory_of(below_application);
        let physical_path = virtual_directory.map(rest);
        Resolution { application, virtual_directory, physical_path, url_path, below_application }
    }
}

impl<'a> Resolution<'a> {
    /// The first handler that takes `method` at this path. `look` says what exists at a physical path and is asked
    /// only for handlers that care.
    pub fn select(&self, method: &str, look: impl Fn(&Path) -> Resource) -> Option<Selection<'a>> {
        self.select_among(|_| true, method, look)
    }

    /// As [`Resolution::select`], but of those handlers only that are `wanted`.
    pub fn select_among(
        &self,
        wanted: impl Fn(&Handler) -> bool,
        method: &str,
        look: impl Fn(&Path) -> Resource,
    ) -> Option<Selection<'a>> {
        let handlers = self.application.handlers().iter().enumerate();
        let handlers = handlers.filter(|(_, handler)| handler.verbs.contains(method) && wanted(handler));
        handlers.filter_map(|(position, handler)| self.fit(position, handler)).find(|selection| {
            let wanted = selection.handler.resource_type;
            wanted == ResourceType::Unspecified || fits(wanted, look(&selection.script_physical_path()))
        })
    }

    /// The split of the path for `handler`, when its pattern takes the path.
    fn fit(&self, position: usize, handler: &'a Handler) -> Option<Selection<'a>> {
        let length = handler.path.script_length(self.below_application)?;
        let split = self.url_path.len() - self.below_application.len() + length;
        let (script_path, extra_path) = self.url_path.split_at(split);
        let (directory, rest) = self.application.directory_of(&self.below_application[..length]);
        Some(Selection { handler, script_path, extra_path, position, directory, rest })
    }
}

fn fits(wanted: ResourceType, found: Resource) -> bool {
    match wanted {
        ResourceType::Unspecified => true,
        ResourceType::File => found == Resource::File,
        ResourceType::Directory => found == Resource::Directory,
        ResourceType::Either => found != Resource::Missing,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::HandlerModule;

    fn site() -> Site {
        let directory = |path, folder| VirtualDirectory::new(path, folder).expect("valid");
        let isapi = || HandlerModule::Isapi { script_processor: Some(PathBuf::from("/srv/_x.so")) };
        let handler = |name, path, verbs, module| Handler::new(name, path, verbs, module).expect("valid");
        let root = Application::new(
            "/",
            vec![directory("/", "/www"), directory("/files", "/data")],
            vec![handler("static", "*", "GET,HEAD", HandlerModule::StaticFile)],
        );
        let script = handler("script", "*.wsgi", "*", isapi()).with_resource_type(ResourceType::File);
        let app =
            Application::new("/app", vec![directory("/", "/srv/app")], vec![script, handler("all", "*", "*", isapi())]);
        Site::new(1, "web", vec![root.expect("valid"), app.expect("valid")]).expect("valid")
    }

    fn physical(site: &Site, path: &str) -> (String, String) {
        let found = site.resolve(path);
        (found.application.path().to_owned(), found.physical_path.display().to_string())
    }

    #[test]
    fn the_longest_prefix_wins() {
        let site = site();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(physical(&site, "/index.html"), pair("/", "/www/index.html"));
        assert_eq!(physical(&site, "/Files/x"), pair("/", "/data/x"));
        assert_eq!(physical(&site, "/filesx"), pair("/", "/www/filesx"));
        assert_eq!(physical(&site, "/APP/x/y"), pair("/app", "/srv/app/x/y"));
        assert_eq!(physical(&site, "/app"), pair("/app", "/srv/app"));
    }

    #[test]
    fn an_extension_map_splits_script_and_extra_path() {
        let site = site();
        let found = site.resolve("/app/s.wsgi/proc");
        let selection =
            found.select(
                "POST",
                |path| {
                    if path == Path::new("/srv/app/s.wsgi") { Resource::File } else { Resource::Missing }
                },
            );
        let selection = selection.expect("a handler");
        assert_eq!((selection.script_path, selection.extra_path), ("/app/s.wsgi", "/proc"));
        assert_eq!(selection.handler.name, "script");
    }

    #[test]
    fn a_missing_script_falls_to_the_next_handler() {
        let site = site();
        let found = site.resolve("/app/s.wsgi/proc");
        let selection = found.select("GET", |_| Resource::Missing).expect("a handler");
        assert_eq!(selection.handler.name, "all");
        assert_eq!((selection.script_path, selection.extra_path), ("/app/s.wsgi/proc", ""));
    }

    #[test]
    fn a_handler_that_is_not_wanted_leaves_the_path_to_the_next() {
        let site = site();
        let found = site.resolve("/app/s.wsgi");
        let selection = found.select_among(|handler| handler.name != "script", "GET", |_| Resource::File);
        assert_eq!(selection.expect("a handler").handler.name, "all");
        assert!(found.select_among(|_| false, "GET", |_| Resource::File).is_none());
    }

    #[test]
    fn a_verb_that_no_handler_takes_finds_none() {
        let site = site();
        assert!(site.resolve("/x").select("POST", |_| Resource::Missing).is_none());
    }
}
