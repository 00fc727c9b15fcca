//! `system.webServer/httpErrors`: what is sent instead of a plain error.

use std::path::PathBuf;

use crate::ConfigError;

/// One entry of `httpErrors`: the page for a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    status: u16,
    sub_status: Option<u16>,
    answer: ErrorAnswer,
}

/// What an entry answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorAnswer {
    /// `responseMode="File"`: the file, under the error's own status. It is read when it is needed.
    File(PathBuf),
    /// `responseMode="Redirect"`: a 302 to this URL.
    Redirect(String),
}

impl ErrorPage {
    /// The page for `status` and `sub_status`; `None` stands for `subStatusCode="-1"`, any that has no page of its own.
    ///
    /// # Errors
    /// When the status is not from 400 to 999, the sub-status is above 999, a file's path is not absolute, or a URL is
    /// empty or has control characters.
    pub fn new(status: u16, sub_status: Option<u16>, answer: ErrorAnswer) -> Result<Self, ConfigError> {
        let page = ErrorPage { status, sub_status, answer };
        let refuse = |expected| Err(ConfigError::ErrorPage { page: page.key(), expected });
        if !(400..=999).contains(&status) {
            return refuse("a status from 400 to 999");
        }
        if sub_status.is_some_and(|sub_status| sub_status > 999) {
            return refuse("a sub-status up to 999, or -1 for any");
        }
        match &page.answer {
            ErrorAnswer::File(file) if !file.is_absolute() => {
                let path = file.display().to_string();
                Err(ConfigError::NotAbsolute { element: "error", path })
            }
            ErrorAnswer::Redirect(url) if url.is_empty() || url.chars().any(char::is_control) => {
                refuse("a URL to redirect to")
            }
            _ => Ok(page),
        }
    }

    /// What it answers with.
    #[must_use]
    pub fn answer(&self) -> &ErrorAnswer {
        &self.answer
    }

    /// The status, and the sub-status behind a dot, as messages name the entry.
    pub(crate) fn key(&self) -> String {
        let sub_status = self.sub_status.map_or_else(|| "-1".to_owned(), |sub_status| sub_status.to_string());
        format!("{}.{sub_status}", self.status)
    }
}

/// The page for a status and sub-status: one of its own, or else that of any sub-status.
pub(crate) fn find(pages: &[ErrorPage], status: u16, sub_status: u16) -> Option<&ErrorPage> {
    let of = |wanted| pages.iter().find(|page| (page.status, page.sub_status) == (status, wanted));
    of(Some(sub_status)).or_else(|| of(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, sub_status: Option<u16>) -> ErrorPage {
        let answer = ErrorAnswer::Redirect(format!("/{status}-{sub_status:?}"));
        ErrorPage::new(status, sub_status, answer).expect("valid")
    }

    #[test]
    fn the_own_page_of_a_sub_status_comes_before_that_of_any() {
        let pages = [page(404, None), page(404, Some(3)), page(500, Some(0))];
        let found = |status, sub_status| find(&pages, status, sub_status).map(ErrorPage::key);
        assert_eq!(found(404, 3).as_deref(), Some("404.3"));
        assert_eq!(found(404, 0).as_deref(), Some("404.-1"));
        assert_eq!(found(500, 0).as_deref(), Some("500.0"));
        assert_eq!(found(500, 1), None);
        assert_eq!(found(403, 0), None);
    }

    #[test]
    fn odd_entries_are_refused() {
        let redirect = |url: &str| ErrorAnswer::Redirect(url.to_owned());
        for (status, sub_status, answer) in [
            (399, None, redirect("/x")),
            (1000, None, redirect("/x")),
            (404, Some(1000), redirect("/x")),
            (404, None, redirect("")),
            (404, None, redirect("/a\r\nX: y")),
            (404, None, ErrorAnswer::File(PathBuf::from("errors/404.htm"))),
        ] {
            assert!(ErrorPage::new(status, sub_status, answer.clone()).is_err(), "{status} {sub_status:?} {answer:?}");
        }
    }
}
