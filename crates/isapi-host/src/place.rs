//! An application of the site as the host sees it: what its requests have in common, made once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use isapi_config::{Application, Site};

use crate::extension::Extension;

/// See the module.
pub(crate) struct Place {
    pub(crate) site_id: u32,
    pub(crate) site_name: String,
    pub(crate) application: Application,
    /// The folder of the site's root.
    pub(crate) document_root: PathBuf,
    /// The extension of each handler of the application, once it is loaded.
    extensions: Vec<OnceLock<Arc<Extension>>>,
}

impl Place {
    /// One for each application, in their order.
    pub(crate) fn all(site: &Site) -> Vec<Arc<Place>> {
        let places = site.applications().iter().map(|application| Arc::new(Place::new(site, application)));
        places.collect()
    }

    fn new(site: &Site, application: &Application) -> Self {
        Place {
            site_id: site.id(),
            site_name: site.name().to_owned(),
            application: application.clone(),
            document_root: site.resolve("/").physical_path,
            extensions: application.handlers().iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Where the extension of the handler at `position` is kept.
    pub(crate) fn extension(&self, position: usize) -> &OnceLock<Arc<Extension>> {
        &self.extensions[position]
    }

    /// The metabase path of the application, `/LM/W3SVC/<site>/ROOT/app`.
    pub(crate) fn metabase_path(&self) -> String {
        format!("/LM/W3SVC/{}/ROOT{}", self.site_id, self.application.path().trim_end_matches('/'))
    }

    /// The file name that `url_path`, a path in this application, stands for.
    pub(crate) fn physical_path(&self, url_path: &str) -> PathBuf {
        self.application.map(url_path)
    }

    /// The folder of the application.
    pub(crate) fn folder(&self) -> &Path {
        self.application.physical_path()
    }
}
