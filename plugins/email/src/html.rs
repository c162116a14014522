//! The HTML part: inline styles and nothing from outside. It names no background and no text colour, so that it reads
//! well where the mail program is light and where it is dark.

use crate::notice::Notice;

const BODY: &str = "margin:0;padding:24px;font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5";
const LEAD: &str = "margin:0 0 20px;padding-left:12px;border-left:4px solid #d9534f;font-size:17px";
const BUTTON: &str = "display:inline-block;padding:8px 16px;border-radius:6px;background:#1f6feb;color:#ffffff;text-decoration:none";
const TASK: &str = "margin:0 0 12px;padding:8px 12px;border:1px solid #888888;border-radius:6px";
const LABEL: &str =
    "padding:2px 16px 2px 0;text-align:left;font-weight:normal;vertical-align:top;opacity:0.7";
const VALUE: &str = "padding:2px 0;overflow-wrap:anywhere";

pub fn write(notice: &Notice) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title></head>\n<body style=\"{BODY}\">\n\
         <p style=\"{LEAD}\">{}.</p>\n",
        escape(&notice.subject),
        escape(&notice.lead),
    );
    if !notice.url.is_empty() {
        let url = escape(&notice.url);
        html.push_str(&format!("<p style=\"margin:0 0 24px\"><a href=\"{url}\" style=\"{BUTTON}\">Open the job</a></p>\n"));
    }
    if !notice.tasks.is_empty() {
        html.push_str("<p style=\"margin:0 0 8px\"><strong>Failed tasks</strong></p>\n");
    }
    for task in &notice.tasks {
        let (name, status, message) = (
            escape(&task.name),
            escape(&task.status),
            escape(&task.message),
        );
        html.push_str(&format!(
            "<p style=\"{TASK}\"><strong>{name}</strong>: {status}<br>{message}</p>\n"
        ));
    }
    html.push_str(
        "<table role=\"presentation\" style=\"border-collapse:collapse;font-size:13px\">\n",
    );
    for (label, value) in &notice.facts {
        let value = escape(value);
        html.push_str(&format!(
            "<tr><th style=\"{LABEL}\">{label}</th><td style=\"{VALUE}\">{value}</td></tr>\n"
        ));
    }
    html.push_str("</table>\n</body></html>\n");
    html
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn names_and_messages_are_escaped() {
        let html = write(&Notice::of(&event()));

        assert!(html.contains("“Nightly &lt;load&gt;” failed at"), "{html}");
        assert!(
            html.contains("<strong>ex-db (task t1)</strong>: error<br>no such table &lt;b&gt;</p>"),
            "{html}"
        );
        assert!(
            html.contains("<a href=\"https://orchestrator.example/jobs/12\""),
            "{html}"
        );
        assert_eq!(
            escape("<a href=\"x\" title='y'>&"),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;"
        );
    }

    #[test]
    fn nothing_is_loaded_from_outside() {
        let html = write(&Notice::of(&event()));

        for tag in [
            "<img", "<link", "<style", "<script", "url(", "@import", "src=",
        ] {
            assert!(!html.contains(tag), "{tag}");
        }
    }

    #[test]
    fn without_an_address_there_is_no_link() {
        let mut event = event();
        event.job.url = "javascript:alert(1)".into();

        assert!(!write(&Notice::of(&event)).contains("<a "));
    }
}
