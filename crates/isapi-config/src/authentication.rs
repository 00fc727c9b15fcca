//! `system.webServer/security/authentication`: who may ask a site.

/// How clients show who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// `anonymousAuthentication`: clients that say nothing are let in.
    pub anonymous: bool,
    /// `basicAuthentication`: the realm, when clients may send a name and a password.
    pub basic_realm: Option<String>,
}

impl Default for Authentication {
    /// Everybody, as in IIS.
    fn default() -> Self {
        Authentication { anonymous: true, basic_realm: None }
    }
}
