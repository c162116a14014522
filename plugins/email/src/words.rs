//! Texts that others chose, made fit for a letter; times and durations as people read them.

/// One line without control characters, of at most `max_chars` characters. Marks that turn the direction of writing go
/// too: they can make a line read differently from what it says.
pub fn clean(text: &str, max_chars: usize) -> String {
    let is_mark = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control() || is_mark(c))
        .filter(|word| !word.is_empty());
    let mut line = words.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(max_chars) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// `2026-04-02T03:04:05+00:00` becomes `2026-04-02 03:04:05 UTC`; anything else stays as it is.
pub fn time(iso_8601: &str) -> String {
    let utc = iso_8601
        .strip_suffix("+00:00")
        .or_else(|| iso_8601.strip_suffix('Z'));
    match utc.and_then(|utc| utc.split_once('T')) {
        Some((date, time)) => format!("{} {} UTC", clean(date, 20), clean(time, 20)),
        None => clean(iso_8601, 40),
    }
}

/// The two largest units: `1 day 2 hours`, `45 minutes`, `30 seconds`.
pub fn duration(seconds: u64) -> String {
    let units = [
        ("day", seconds / 86_400),
        ("hour", seconds / 3600 % 24),
        ("minute", seconds / 60 % 60),
        ("second", seconds % 60),
    ];
    let largest = units
        .iter()
        .position(|(_, count)| *count > 0)
        .unwrap_or(units.len() - 1);
    let mut text = String::new();
    for (unit, count) in units.iter().skip(largest).take(2) {
        if *count == 0 && !text.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&format!(
            "{count} {unit}{}",
            if *count == 1 { "" } else { "s" }
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_short_line() {
        assert_eq!(
            clean(" a\r\n\tb\u{0}\u{1b}[31mc \u{202e}d ", 100),
            "a b [31mc d"
        );
        assert_eq!(clean("äöü", 2), "äö…");
        assert_eq!(clean("äöü", 3), "äöü");
        assert_eq!(clean("👩\u{200d}🔬", 9), "👩\u{200d}🔬");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(time("2026-04-02T03:04:05+00:00"), "2026-04-02 03:04:05 UTC");
        assert_eq!(time("2026-04-02T03:04:05Z"), "2026-04-02 03:04:05 UTC");
        assert_eq!(
            time("2026-04-02T03:04:05+02:00"),
            "2026-04-02T03:04:05+02:00"
        );
    }

    #[test]
    fn durations_are_the_two_largest_units() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (2700, "45 minutes"),
            (3661, "1 hour 1 minute"),
            (7201, "2 hours"),
            (93_600, "1 day 2 hours"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
