//! How commands show things: tables for people, JSON for scripts.
//!
//! A table fits the terminal; where standard output is none, its lines are as long as they are. What comes from a server
//! cannot steer the terminal: control characters are shown as spaces.

use anyhow::bail;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{self, BufRead, IsTerminal, Write};

/// Rows under headings; a heading that begins with `>` stands over a column of numbers.
pub(super) fn print_table(
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings.iter().map(|text| text.trim_start_matches('>')));
    for row in rows {
        table.add_row(row.iter().map(|text| clean(text)));
    }
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    for (column, heading) in table.column_iter_mut().zip(headings) {
        column.set_padding((0, 2));
        if heading.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Of the terminal that standard output is.
fn width() -> Option<u16> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let (width, _) = terminal_size::terminal_size_of(out)?;
    Some(width.0)
}

pub(super) fn print_json(value: &impl Serialize, out: &mut dyn Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Without anything that steers a terminal.
pub(super) fn clean(text: &str) -> String {
    // Marks that turn the direction of writing could make one name look like another.
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| if steers(c) { ' ' } else { c })
        .collect()
}

/// The API's times, shorter: `2026-11-24 17:06:36` where they are in UTC.
pub(super) fn show_time(time: Option<&str>) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    let text = time.strip_suffix("+00:00").unwrap_or(time);
    text.replacen('T', " ", 1)
}

/// `3 s`, `2 min 5 s`, `1 h 20 min`
pub(super) fn show_duration(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Asks the person at the terminal; `false`: no.
///
/// # Errors
/// Nobody is there who could answer.
pub(super) fn confirm(question: &str) -> anyhow::Result<bool> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        bail!("nobody is there to confirm it: say --yes");
    }
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_headings_however_wide_letters_are() {
        let rows = [["1", "日本", "ok"], ["20", "a", "\u{1b}[31mred"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let mut out = Vec::new();
        print_table(&[">ID", "NAME", "STATE"], rows, &mut out).expect("written");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "ID  NAME  STATE\n 1  日本  ok\n20  a      [31mred\n"
        );
    }

    #[test]
    fn times_and_durations_are_short() {
        assert_eq!(
            show_time(Some("2026-11-24T17:06:36+00:00")),
            "2026-11-24 17:06:36"
        );
        assert_eq!(show_time(None), "-");
        assert_eq!(show_duration(59), "59 s");
        assert_eq!(show_duration(125), "2 min 5 s");
        assert_eq!(show_duration(4_800), "1 h 20 min");
    }
}
