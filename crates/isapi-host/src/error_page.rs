//! The pages that the host writes itself: errors and redirects. Small, calm, and everything in them escaped.

use http::StatusCode;

/// The content type of every page here.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// A page for `status`, with a sentence that says more; both are the host's own words.
pub(crate) fn error(status: StatusCode, detail: &str) -> String {
    let reason = status.canonical_reason().unwrap_or("Error");
    page(&format!("{} {reason}", status.as_u16()), &format!("<p>{}</p>", escape(detail)))
}

/// The page of a redirect to `url`.
pub(crate) fn moved(url: &str) -> String {
    page("The page has moved", &format!("<p>The page is at <a href=\"{0}\">{0}</a>.</p>", escape(url)))
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )
}

/// Makes text harmless in HTML text and in attribute values.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_escaped() {
        let page = moved("/x\"><script>alert('1')</script>&");
        assert!(!page.contains("<script>") && page.contains("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)"));
    }
}
