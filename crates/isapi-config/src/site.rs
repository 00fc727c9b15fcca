//! A site: an id, a name and its applications.

use crate::application::unique;
use crate::{Application, Authentication, ConfigError, ErrorPage, Filter, RequestLimits, error_page};

/// One web site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    id: u32,
    name: String,
    applications: Vec<Application>,
    limits: RequestLimits,
    error_pages: Vec<ErrorPage>,
    filters: Vec<Filter>,
    authentication: Authentication,
}

impl Site {
    /// A site of these applications, with the default limits.
    ///
    /// # Errors
    /// When the name is not usable, the application `/` is missing, or two applications have one path.
    pub fn new(id: u32, name: impl Into<String>, applications: Vec<Application>) -> Result<Self, ConfigError> {
        let name = name.into();
        if matches!(name.as_str(), "" | "/" | "?") {
            return Err(ConfigError::Name { element: "site", name, expected: "a name other than /, ? or nothing" });
        }
        let parent = format!("the site {name:?}");
        if !applications.iter().any(|application| application.path() == "/") {
            return Err(ConfigError::MissingRoot { parent, element: "application" });
        }
        unique(&parent, "application", applications.iter().map(|application| application.path().to_ascii_lowercase()))?;
        Ok(Site {
            id,
            name,
            applications,
            limits: RequestLimits::default(),
            error_pages: Vec::new(),
            filters: Vec::new(),
            authentication: Authentication::default(),
        })
    }

    /// The same site with other limits.
    #[must_use]
    pub fn with_limits(self, limits: RequestLimits) -> Self {
        Site { limits, ..self }
    }

    /// The same site with these pages instead of plain errors.
    ///
    /// # Errors
    /// When two pages are for one status and sub-status.
    pub fn with_error_pages(self, error_pages: Vec<ErrorPage>) -> Result<Self, ConfigError> {
        unique(&format!("the site {:?}", self.name), "error", error_pages.iter().map(ErrorPage::key))?;
        Ok(Site { error_pages, ..self })
    }

    /// The same site with these filters: the server's own first, then the site's, each in load order.
    ///
    /// # Errors
    /// When two filters have one name.
    pub fn with_filters(self, filters: Vec<Filter>) -> Result<Self, ConfigError> {
        unique(&format!("the site {:?}", self.name), "filter", filters.iter().map(|filter| filter.name().to_owned()))?;
        Ok(Site { filters, ..self })
    }

    /// The same site, for those clients only that may ask.
    #[must_use]
    pub fn with_authentication(self, authentication: Authentication) -> Self {
        Site { authentication, ..self }
    }

    /// The page for an error: that of its sub-status, or that of any.
    #[must_use]
    pub fn error_page(&self, status: u16, sub_status: u16) -> Option<&ErrorPage> {
        error_page::find(&self.error_pages, status, sub_status)
    }

    /// The number of the site, as in `/LM/W3SVC/<id>`.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The name of the site.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The applications; one of them is `/`.
    #[must_use]
    pub fn applications(&self) -> &[Application] {
        &self.applications
    }

    /// The filters, in load order.
    #[must_use]
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// Who may ask.
    #[must_use]
    pub fn authentication(&self) -> &Authentication {
        &self.authentication
    }

    /// The limits of a request.
    #[must_use]
    pub fn limits(&self) -> &RequestLimits {
        &self.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VirtualDirectory;

    fn application(path: &str) -> Application {
        let folder = if cfg!(windows) { "C:\\srv" } else { "/srv" };
        let root = VirtualDirectory::new("/", folder).expect("valid");
        Application::new(path, vec![root], Vec::new()).expect("valid")
    }

    #[test]
    fn a_site_needs_its_root_application() {
        let error = Site::new(1, "web", vec![application("/app")]).expect_err("no root");
        assert_eq!(
            error.to_string(),
            "ISAPI0402 the site \"web\" has no application with the path \"/\"; expected exactly one"
        );
    }

    #[test]
    fn two_applications_with_one_path_are_refused() {
        let error = Site::new(1, "web", vec![application("/"), application("/App"), application("/app")]);
        assert!(matches!(error, Err(ConfigError::Duplicate { element: "application", .. })));
    }

    #[test]
    fn two_error_pages_for_one_status_are_refused() {
        let page =
            |sub_status| ErrorPage::new(404, sub_status, crate::ErrorAnswer::Redirect("/x".to_owned())).expect("valid");
        let site = || Site::new(1, "web", vec![application("/")]).expect("valid");
        assert!(site().with_error_pages(vec![page(None), page(Some(0))]).is_ok());
        let error = site().with_error_pages(vec![page(None), page(None)]).expect_err("twice the same");
        assert_eq!(error.to_string(), "ISAPI0403 the site \"web\" has two of error \"404.-1\"; expected each once");
    }

    #[test]
    fn an_application_needs_its_root_directory() {
        assert!(matches!(
            Application::new("/", Vec::new(), Vec::new()),
            Err(ConfigError::MissingRoot { element: "virtualDirectory", .. })
        ));
    }
}
