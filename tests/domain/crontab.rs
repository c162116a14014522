//! Crontab expressions and the subcommand that explains them.
//!
//! Next times are compared with the crate `croner` over a corpus of several hundred expressions,
//! and where the two dialects differ also with rules written out by hand. No clock is read and
//! nothing is random: the loops that mix expressions start from a fixed seed.

use std::collections::BTreeSet;
use std::process::ExitCode;

use chrono::{DateTime, Datelike, Duration, Timelike, Utc};
use clap::Parser;
use orchestrator::cli::cron::{CronArgs, run};
use orchestrator::domain::crontab::{Crontab, MAX_CHARACTERS};

/// Ends of years, of months and of the calendar, leap days, seconds and parts of seconds.
const STARTS: &[&str] = &[
    "1999-12-31T23:59:59.999Z",
    "2023-12-31T23:59:00Z",
    "2024-02-28T12:34:56.789Z",
    "2024-02-29T23:59:59Z",
    "2025-02-28T23:59:30Z",
    "2026-01-01T00:00:00Z",
    "2026-08-15T06:30:00.000001Z",
    "2095-03-01T00:00:00Z",
    "2100-12-30T22:58:00Z",
];

#[test]
fn next_times_are_those_of_another_implementation() {
    let corpus = corpus();

    let mut times_compared = 0;
    for (expression, for_croner) in &corpus {
        let crontab = parse(expression);
        let croner: croner::Cron = for_croner.parse().expect(for_croner);
        for start in STARTS.iter().map(|start| time(start)) {
            let ours: Vec<_> = crontab.upcoming(start).take(24).collect();
            // `croner` starts from a whole second and goes on to the year 5000.
            let whole_second = DateTime::from_timestamp(start.timestamp(), 0).unwrap();
            let theirs: Vec<_> = croner
                .iter_after(whole_second)
                .take_while(|time| time.year() <= 2100)
                .take(24)
                .collect();
            assert_eq!(ours, theirs, "{expression:?} ({for_croner}) after {start}");
            times_compared += ours.len();
        }
    }

    let starts = STARTS.len();
    println!(
        "{} expressions, {times_compared} times from {starts} starts are as croner has them",
        corpus.len()
    );
    assert!(corpus.len() >= 400, "only {} expressions", corpus.len());
}

/// Expressions with what `croner` is to read in their place. The dialects differ in this:
/// - `croner` takes only a bare `*` as no restriction, we any day field that starts with one; `+`
///   before its weekday field makes it require both days;
/// - it does not know `*` in a list, steps beyond 65535, and `@midnight`.
fn corpus() -> Vec<(String, String)> {
    let minutes = "* 0 59 07 007 */1 */2 */7 */59 */60 */100 0-59 10-20 5-5 10-50/7 0-59/61 1-2/9 \
                   0,15,30,45 5-10,20-30/5,59 59,0,30 3,3,3 */20,7 00-09";
    let hours = "* 0 23 05 */1 */3 */23 */24 */25 0-23 9-17 7-7 1-22/5 8-18/100 0,12 22,2-4,6-10/2";
    let days = "* 1 31 08 */1 */2 */10 */31 */32 1-31 28-31 29 30,31 1-15/7 2-31/2 1,15 13,20-22 \
                */9,30 1-7";
    let months = "* 1 12 02 */1 */2 */5 */13 1-12 2-4 6-6 1-12/3 2,4,6-9/3 jan DEC Feb mar-may \
                  JAN-DEC apr,jun,Aug-10 1-sep/4 oct-12 nov jul-jul may,5 4-AUG/99";
    let weekdays = "* 0 7 1 06 */1 */2 */3 */5 */7 */8 0-7 0-6 1-5 5-7 7-7 0-7/2 1-7/3 0,7 1,3,5-7 \
                    sun MON Tue wed-fri SUN-SAT sun-tue mon-7 1-sat sat,sun 6,Sun,mon-wed/2 thu-FRI/9";
    let mut expressions = Vec::new();
    for (frames, shapes) in [
        (["{} * * * *", "{} 3 * * *", "{} 22-23 28-29 2 *"], minutes),
        (["0 {} * * *", "30 {} * * mon-fri", "*/25 {} 1 * *"], hours),
        (["0 0 {} * *", "15 12 {} 1-8 *", "59 23 {} 1,7,12 *"], days),
        (["0 0 1 {} *", "0 6 * {} 1", "45 * 28,29 {} *"], months),
        (["0 0 * * {}", "5 4 * 2,8 {}", "0 */8 */3 * {}"], weekdays),
    ] {
        for shape in shapes.split_whitespace() {
            expressions.extend(frames.iter().map(|frame| frame.replace("{}", shape)));
        }
    }
    // Either day field, or both: every shape of the one with every shape of the other.
    for day in days.split_whitespace() {
        for weekday in "* 1 7 */2 */7 0-7 1-5 5-7 sun,wed sat-6 *,3".split_whitespace() {
            expressions.push(format!("30 2 {day} * {weekday}"));
            expressions.push(format!("0 12 {day} 1-3 {weekday}"));
        }
    }
    expressions.extend(names_and_white_space());
    expressions.extend(mixed_expressions(200));
    let unique: BTreeSet<String> = expressions.into_iter().collect();
    let mut corpus: Vec<_> = unique
        .into_iter()
        .map(|expression| (spelt_for_croner(&expression), expression))
        .map(|(for_croner, expression)| (expression, for_croner))
        .collect();
    for (expression, for_croner) in [
        ("*,5 0 * * *", "* 0 * * *"),
        ("5,* 0 * * *", "* 0 * * *"),
        ("0 *,*/2 1 */3,* *", "0 * 1 * *"),
        ("0 0 *,5 * 1", "0 0 1-31 * +1"),
        ("0 0 5,* * 1", "0 0 1-31 * 1"),
        ("0 0 1 * 3,*", "0 0 1 * 0-6"),
        ("0 0 1 * *,3", "0 0 1 * +0-6"),
        ("*/99999999999999999999 0 * * *", "0 0 * * *"),
        ("10-20/4294967296 0 * * *", "10 0 * * *"),
        ("0 0 */99999 * 1", "0 0 1 * +1"),
    ] {
        corpus.push((expression.to_owned(), for_croner.to_owned()));
    }
    corpus
}

fn spelt_for_croner(expression: &str) -> String {
    let words: Vec<&str> = expression.split_whitespace().collect();
    match words[..] {
        [name] if name.eq_ignore_ascii_case("@midnight") => "@daily".to_owned(),
        [minute, hour, day, month, weekday] => {
            let both = day.starts_with('*') || weekday.starts_with('*');
            let plus = if both { "+" } else { "" };
            let weekday = weekday.replace("*,3", "0-6");
            format!("{minute} {hour} {day} {month} {plus}{weekday}")
        }
        _ => expression.to_owned(),
    }
}

fn names_and_white_space() -> Vec<String> {
    let mut expressions = Vec::new();
    for name in "yearly annually monthly weekly daily midnight hourly".split_whitespace() {
        let mut capital = name.to_owned();
        capital[..1].make_ascii_uppercase();
        expressions.push(format!("@{name}"));
        expressions.push(format!("@{capital}"));
        expressions.push(format!(" \t@{}\u{a0}\n", name.to_uppercase()));
    }
    for space in "\t|\n|\r\n|\u{a0}|\u{3000}|\u{2028}|\u{b}\u{c}|   ".split('|') {
        let fields = ["7", "*/6", "1-7", "feb-nov/3", "Mon,thu"].join(space);
        expressions.push(fields.clone());
        expressions.push(format!("{space}{fields}{space}{space}"));
    }
    expressions
}

/// Lists of one to three values, ranges and steps in every field, some of them stars.
fn mixed_expressions(count: usize) -> Vec<String> {
    let mut random = XorShift(0x2545_f491_4f6c_dd1d);
    let mut field = |min: u64, max: u64| {
        let star = random.below(3) == 0;
        let mut items = Vec::new();
        for _ in 0..=random.below(3) {
            let first = min + random.below(max - min + 1);
            let last = first + random.below(max - first + 1);
            let step = 1 + random.below(max + 3);
            items.push(match random.below(4) {
                0 => format!("{first}-{last}"),
                1 => format!("{first}-{last}/{step}"),
                _ => format!("{first}"),
            });
        }
        match star {
            true if random.below(2) == 0 => "*".to_owned(),
            true => format!("*/{}", 1 + random.below(max)),
            false => items.join(","),
        }
    };
    // Days up to the 28th, so that every month has them and no schedule is refused.
    (0..count)
        .map(|_| [(0, 59), (0, 23), (1, 28), (1, 12), (0, 7)].map(|(min, max)| field(min, max)))
        .map(|fields| fields.join(" "))
        .collect()
}

type Rule = fn(DateTime<Utc>) -> bool;

#[test]
fn next_times_follow_rules_written_out_by_hand() {
    fn at(t: DateTime<Utc>, hour: u32, minute: u32) -> bool {
        (t.hour(), t.minute()) == (hour, minute)
    }
    /// 0 is Sunday.
    fn weekday(t: DateTime<Utc>) -> u32 {
        t.weekday().num_days_from_sunday()
    }
    let rules: &[(&str, Rule)] = &[
        ("* * * * *", |_| true),
        ("@midnight", |t| at(t, 0, 0)),
        ("@Weekly", |t| at(t, 0, 0) && weekday(t) == 0),
        ("*,5 * * * *", |_| true),
        ("*/100 * * * *", |t| t.minute() == 0),
        ("*/0045 * * * *", |t| [0, 45].contains(&t.minute())),
        ("50-59/99 1 * * *", |t| at(t, 1, 50)),
        ("0 0 13 * 5", |t| {
            at(t, 0, 0) && (t.day() == 13 || weekday(t) == 5)
        }),
        ("0 0 13 * *", |t| at(t, 0, 0) && t.day() == 13),
        ("0 0 * * 5", |t| at(t, 0, 0) && weekday(t) == 5),
        ("0 0 */2 * 1", |t| {
            at(t, 0, 0) && t.day() % 2 == 1 && weekday(t) == 1
        }),
        ("0 0 1-31/2 * 1", |t| {
            at(t, 0, 0) && (t.day() % 2 == 1 || weekday(t) == 1)
        }),
        ("0 0 */2,4 * */2", |t| {
            at(t, 0, 0) && (t.day() % 2 == 1 || t.day() == 4) && weekday(t).is_multiple_of(2)
        }),
        ("0 0 10-16 * */7", |t| {
            at(t, 0, 0) && (10..=16).contains(&t.day()) && weekday(t) == 0
        }),
        ("0 0 *,5 * 1", |t| at(t, 0, 0) && weekday(t) == 1),
        ("0 0 5,* * 1", |t| at(t, 0, 0)),
        ("0 0 30 2 1", |t| {
            at(t, 0, 0) && t.month() == 2 && weekday(t) == 1
        }),
        ("0 0 * * 5-7", |t| {
            at(t, 0, 0) && [5, 6, 0].contains(&weekday(t))
        }),
        ("0 0 * * 0-7/2", |t| {
            at(t, 0, 0) && weekday(t).is_multiple_of(2)
        }),
        ("0 0 * * 1-7/3", |t| {
            at(t, 0, 0) && [1, 4, 0].contains(&weekday(t))
        }),
        ("9\u{a0}1 \u{3000}1 \t*\n*\r\n", |t| {
            at(t, 1, 9) && t.day() == 1
        }),
    ];

    for (expression, rule) in rules {
        for start in STARTS.iter().map(|start| time(start)) {
            let ours: Vec<_> = parse(expression).upcoming(start).take(20).collect();
            let first_minute = start.timestamp().div_euclid(60) + 1;
            let by_rule: Vec<_> = (first_minute..68_899_680)
                .map(|minute| DateTime::from_timestamp(minute * 60, 0).unwrap())
                .filter(|time| rule(*time))
                .take(20)
                .collect();
            assert_eq!(ours, by_rule, "{expression:?} after {start}");
        }
    }
}

#[test]
fn times_end_with_the_year_2100() {
    let minutely = parse("* * * * *");
    let leap_day = parse("0 0 29 2 *");

    let next = |crontab: &Crontab, after| crontab.next_after(time(after));
    assert_eq!(
        next(&minutely, "2100-12-31T23:58:59.9Z"),
        Some(time("2100-12-31T23:59:00Z"))
    );
    assert_eq!(next(&minutely, "2100-12-31T23:59:00Z"), None);
    assert_eq!(minutely.next_after(DateTime::<Utc>::MAX_UTC), None);
    assert_eq!(
        minutely.next_after(DateTime::<Utc>::MIN_UTC),
        Some(DateTime::UNIX_EPOCH)
    );
    // 2100 is no leap year.
    assert_eq!(next(&leap_day, "2096-02-29T00:00:00Z"), None);
}

#[test]
fn the_text_is_kept_as_given() {
    let text = " 0\t0 * * SUN\n";

    assert_eq!(parse(text).as_str(), text);
}

#[test]
fn latest_and_count_agree_with_walking_all_times() {
    let mut checked = 0;
    for (expression, _) in corpus().iter().step_by(7) {
        let crontab = parse(expression);
        for from in STARTS.iter().map(|start| time(start)) {
            let tick = crontab.next_after(from).unwrap_or(from);
            for (from, to) in [
                (from, from + Duration::minutes(3)),
                (from, from + Duration::hours(30)),
                (from, from + Duration::days(9)),
                (tick, tick),
                (from, tick),
                (tick + Duration::nanoseconds(1), tick + Duration::days(2)),
                (tick, tick + Duration::days(1) - Duration::nanoseconds(1)),
                (tick, tick - Duration::minutes(1)),
            ] {
                let times: Vec<_> = crontab
                    .upcoming(from - Duration::nanoseconds(1))
                    .take_while(|time| *time <= to)
                    .collect();
                let walked = times.last().map(|last| (*last, times.len() as u64));
                let counted = crontab.latest_and_count(from, to);
                assert_eq!(counted, walked, "{expression:?} from {from} to {to}");
                checked += 1;
            }
        }
    }
    assert!(checked > 1_000);
}

#[test]
fn a_century_of_minutes_is_counted_by_days() {
    let everything = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);

    let minutely = parse("* * * * *").latest_and_count(everything.0, everything.1);
    let leap_days = parse("0 0 29 2 *").latest_and_count(everything.0, everything.1);
    let backwards = parse("* * * * *").latest_and_count(everything.1, everything.0);

    // Walking them one by one would take minutes; this test takes no time worth measuring.
    let end = time("2100-12-31T23:59:00Z");
    assert_eq!(minutely, Some((end, end.timestamp() as u64 / 60 + 1)));
    assert_eq!(leap_days, Some((time("2096-02-29T00:00:00Z"), 32)));
    assert_eq!(backwards, None);
}

/// Expression, position of the fault, and words of the reason.
const REFUSED: &[(&str, usize, &str)] = &[
    ("", 1, "empty"),
    (" \t\u{a0}", 1, "empty"),
    ("*", 2, "only 1 of five fields"),
    ("* * * *", 8, "only 4 of five fields"),
    ("  0  0 \u{3000} ", 7, "only 2 of five fields"),
    ("0 30 12 * * mon", 13, "seconds and years are not supported"),
    ("0 0 12 * * ?", 12, "6 fields are too many"),
    ("0 0 12 1 1 ? 2026", 12, "7 fields are too many"),
    ("1, 2 * * * *", 12, "too many"),
    ("@reboot", 1, "@reboot is not supported"),
    ("  @ReBoot ", 3, "names no time"),
    ("@fortnightly", 1, "@fortnightly is not a known name"),
    ("@", 1, "not a known name"),
    ("@every 5m", 1, "@every is not a known name"),
    ("@daily @daily", 8, "nothing may follow @daily"),
    ("0 @daily * * *", 3, "'@' is not expected"),
    ("60 * * * *", 1, "minute 60 is beyond 59"),
    ("* 24 * * *", 3, "hour 24 is beyond 23"),
    ("* * 0 * *", 5, "day of month 0 is below 1"),
    ("* * 32 * *", 5, "day of month 32 is beyond 31"),
    ("* * * 0 *", 7, "month 0 is below 1"),
    ("* * * 1-13 *", 9, "month 13 is beyond 12"),
    ("* * * * 8", 9, "day of week 8 is beyond 7"),
    ("* * * * 1,2,0-9", 15, "day of week 9 is beyond 7"),
    (
        "99999999999999 * * * *",
        1,
        "minute 99999999999999 is beyond 59",
    ),
    (
        "* 99999999999999999999999 * * *",
        3,
        "hour 99999999999999999999… is beyond 23",
    ),
    ("4294967296 * * * *", 1, "is beyond 59"),
    ("-5 * * * *", 1, "none is negative"),
    ("1--5 * * * *", 3, "none is negative"),
    ("+5 * * * *", 1, "'+' is not expected"),
    ("1.5 * * * *", 2, "'.' is not expected"),
    ("*/0 * * * *", 3, "a step of 0"),
    ("* 1-5/000 * * *", 7, "a step of 0"),
    ("*/-2 * * * *", 3, "a step is never negative"),
    ("*/ * * * *", 3, "step after / is missing"),
    ("*/,5 * * * *", 3, "step after / is missing"),
    ("*/x * * * *", 3, "'x' is not expected"),
    ("*/2/3 * * * *", 4, "'/' is not expected"),
    ("*/5-9 * * * *", 4, "'-' is not expected"),
    ("5/2 * * * *", 2, "a step needs * or a range"),
    ("* * * * 7/2", 10, "a step needs * or a range"),
    ("* * * * mon/2", 12, "a step needs * or a range"),
    ("/5 * * * *", 1, "a step needs * or a range"),
    ("5, * * * *", 3, "a list item is empty"),
    (",5 * * * *", 1, "a list item is empty"),
    ("1,,2 * * * *", 3, "a list item is empty"),
    ("5- * * * *", 3, "the range has no end"),
    ("5-/2 * * * *", 3, "the range has no end"),
    ("1-2-3 * * * *", 4, "'-' is not expected"),
    ("1-* * * * *", 3, "'*' is not expected"),
    ("*-5 * * * *", 2, "'-' is not expected"),
    ("** * * * *", 2, "'*' is not expected"),
    ("*5 * * * *", 2, "'5' is not expected"),
    ("20-10 * * * *", 1, "the range 20-10 runs backwards"),
    ("* 1,22-2/3 * * *", 5, "the range 22-2 runs backwards"),
    ("* * * nov-feb *", 7, "the range nov-feb runs backwards"),
    ("* * * * fri-Sun", 9, "as the end of a range Sunday is 7"),
    (
        "* * * * 5-0",
        9,
        "the range 5-0 runs backwards: as the end of a range Sunday is 7",
    ),
    ("* * * * 7-1", 9, "the range 7-1 runs backwards"),
    ("mon * * * *", 1, "minute: this field takes numbers only"),
    (
        "* * jan * *",
        5,
        "day of month: this field takes numbers only",
    ),
    ("* * * mon *", 7, "the names are jan to dec"),
    ("* * * * jan", 9, "the names are sun to sat"),
    ("* * * january *", 7, "january is not a month"),
    ("* * * * monday", 9, "three letters"),
    ("* * * ja *", 7, "ja is not a month"),
    ("* * * * mon2", 12, "'2' is not expected"),
    ("* * * * 2mon", 10, "'m' is not expected"),
    ("H * * * *", 1, "H is not a minute"),
    ("* * * * ?", 9, "? is not supported"),
    ("* * ? * 1", 5, "? is not supported"),
    ("* * L * *", 5, "L (the last day) is not supported"),
    ("* * l-3 * *", 5, "L (the last day)"),
    ("* * 15W * *", 7, "W (the nearest weekday) is not supported"),
    ("* * LW * *", 6, "W (the nearest weekday)"),
    ("* * w * *", 5, "W (the nearest weekday)"),
    ("* * * * 5L", 10, "L (the last day)"),
    ("* * * * friL", 12, "L (the last day)"),
    (
        "* * * * fri#2",
        12,
        "# (the nth weekday of a month) is not supported",
    ),
    ("* * * * 5#2", 10, "# (the nth weekday"),
    ("٣ * * * *", 1, "only 0 to 9"),
    ("* ５ * * *", 3, "only 0 to 9"),
    ("*\u{a0}1²\u{a0}* * *", 4, "only 0 to 9"),
    ("\u{feff}0 * * * *", 1, "'\\u{feff}' is not expected"),
    ("0 0 ä * *", 5, "'ä' is not expected"),
    ("0\u{200b}0 * * * *", 2, "'\\u{200b}' is not expected"),
    ("0 0 30 2 *", 5, "no month of this schedule has a day 30"),
    (
        "0 0  31 2,4,6,9,NOV *",
        6,
        "no month of this schedule has a day 31",
    ),
    ("0 0 30-31 feb */2", 5, "would never fire"),
];

#[test]
fn what_is_not_the_dialect_is_refused_with_position_and_reason() {
    for (expression, position, words) in REFUSED {
        let fault = Crontab::parse(expression).expect_err(expression);
        assert_eq!(fault.position, *position, "{expression:?}: {fault}");
        assert!(fault.reason.contains(words), "{expression:?}: {fault}");
    }
    let fault = Crontab::parse("* 24 * * *").unwrap_err();
    assert_eq!(fault.to_string(), "position 3: hour 24 is beyond 23");
}

#[test]
fn the_length_is_limited_in_characters() {
    let spaces = |count: usize| "\u{3000}".repeat(count);

    let longest = format!("@daily{}", spaces(MAX_CHARACTERS - 6));
    let fault = Crontab::parse(&format!("{longest} ")).unwrap_err();
    let megabytes = Crontab::parse(&spaces(2_000_000)).unwrap_err();

    assert_eq!(parse(&longest).as_str(), longest);
    assert_eq!(fault.position, MAX_CHARACTERS + 1);
    assert!(fault.reason.contains("longer than 255 characters"));
    assert_eq!(megabytes, fault);
}

#[test]
fn no_text_makes_the_parser_panic() {
    let pieces = "*|*|0|1|5|7|31|59|60|007|99999999999|-|/|,|/2|-6|*/3|mon|SUN|jan|Dec|L|W|?|#|@|@daily\
                  |@reboot|.|+|x|٣|ä|é|\u{a0}|\u{3000}|\t|\0|\u{1f980}|\\|'|\"|%";
    let pieces: Vec<&str> = pieces.split('|').collect();
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    let mut understood = 0;
    for round in 0..20_000 {
        // Every other text has five fields, many of them `*`, so that a good part is understood.
        let (fields, pieces_at_most) = if round % 2 == 0 {
            (5, 2)
        } else {
            (random.below(9), 5)
        };
        let mut text = String::new();
        for field in 0..fields {
            text.push_str(if field == 0 { "" } else { " " });
            if round % 2 == 0 && random.below(2) == 0 {
                text.push('*');
                continue;
            }
            for _ in 0..=random.below(pieces_at_most) {
                text.push_str(pieces[random.below(pieces.len() as u64) as usize]);
            }
        }
        match Crontab::parse(&text) {
            Ok(crontab) => {
                let start = time("2026-02-28T23:59:30Z");
                let next = crontab.next_after(start).expect("a time before 2100");
                assert!(next > start && next.timestamp() % 60 == 0, "{text:?}");
                assert_eq!(crontab.latest_and_count(start, next), Some((next, 1)));
                understood += 1;
            }
            Err(fault) => {
                let places = 1..=text.chars().count() + 1;
                assert!(places.contains(&fault.position), "{text:?}: {fault}");
                assert!(!fault.reason.is_empty());
            }
        }
    }
    println!("{understood} of 20000 texts were understood");
    assert!(understood > 50);
}

#[test]
fn the_command_prints_one_time_per_line() {
    let (code, out, err) = command(&["next", "0 0 * * *", "--count", "2"]);

    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(
        out,
        "2026-01-01T00:00:00+00:00\n2026-01-02T00:00:00+00:00\n"
    );
    assert_eq!(err, "");
    let (_, ten, _) = command(&["next", "@hourly"]);
    assert_eq!(ten.lines().count(), 10);
}

#[test]
fn the_command_prints_json_from_a_given_time() {
    let from = "2028-02-29T00:00:00.5-01:00";
    let (code, out, _) = command(&["next", "--json", "--from", from, "--count=2", "0 1 29 2 *"]);

    assert_eq!(code, ExitCode::SUCCESS);
    let times: Vec<String> = serde_json::from_str(&out).unwrap();
    assert_eq!(
        times,
        ["2032-02-29T01:00:00+00:00", "2036-02-29T01:00:00+00:00"]
            .map(str::to_owned)
            .as_slice()
    );
}

#[test]
fn the_command_says_why_there_are_fewer_times() {
    let (code, out, err) = command(&["next", "@yearly", "--from", "2098-06-01T00:00:00Z"]);

    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(out.lines().count(), 2);
    assert!(err.contains("the end of the year 2100"));
}

#[test]
fn the_command_points_at_a_fault() {
    for (expression, shown) in [
        (
            "0 24 * * *",
            "0 24 * * *\n  ^\nposition 3: hour 24 is beyond 23\n",
        ),
        (
            "-5 * * * *",
            "-5 * * * *\n^\nposition 1: a value is missing before -, and none is negative\n",
        ),
        (
            "0\t0\n\u{1b} * *",
            "0 0 \u{fffd} * *\n    ^\nposition 5: '\\u{1b}' is not expected here in the day of \
             month field\n",
        ),
    ] {
        let (code, out, err) = command(&["next", "--json", expression]);
        assert_eq!(code, ExitCode::from(2));
        assert_eq!((out.as_str(), err.as_str()), ("", shown));
    }
}

#[test]
fn the_command_refuses_bad_arguments() {
    for (arguments, words) in [
        (vec!["next", "@daily", "--from", "yesterday"], "not a time"),
        (vec!["next", "@daily", "--count", "0"], "1..=10000"),
        (vec!["next", "@daily", "--count", "10001"], "1..=10000"),
        (vec!["next", "@daily", "--cuont", "5"], "--cuont"),
        (vec!["next", "--json"], "<EXPRESSION>"),
        (vec!["next"], "<EXPRESSION>"),
    ] {
        let error = Terminal::try_parse_from(["cron"].into_iter().chain(arguments)).err();
        let error = error.expect("clap refuses it");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// What stands before the subcommand in the real program.
#[derive(Parser)]
struct Terminal {
    #[command(flatten)]
    cron: CronArgs,
}

fn command(arguments: &[&str]) -> (ExitCode, String, String) {
    let terminal = Terminal::parse_from(["cron"].iter().chain(arguments));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let now = time("2025-12-31T12:34:56.789Z");
    let code = run(terminal.cron, now, &mut out, &mut err).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(err))
}

fn parse(expression: &str) -> Crontab {
    Crontab::parse(expression).unwrap_or_else(|fault| panic!("{expression:?}: {fault}"))
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect(text)
}

/// Marsaglia's generator: the same numbers in every run.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
