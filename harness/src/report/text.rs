//! Text that other programs wrote: guests, hypervisors and QEMU choose names, reasons and messages, so such text
//! may be megabytes long, and may hold what drives a terminal.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The longest text that a report keeps of a record or a message, in characters.
const LONGEST: usize = 1000;

/// `document` with every long text cut, and a note of its length.
pub fn cut<T: Serialize + DeserializeOwned>(document: &T) -> T {
    map(document, &cut_text)
}

/// `document` with everything escaped that is not printable, or that changes the order of what is.
pub fn printable<T: Serialize + DeserializeOwned>(document: &T) -> T {
    map(document, &escape)
}

/// `text`, all of which but its ends of lines is to be seen.
pub fn printable_lines(text: &str) -> String {
    let lines = text.split('\n');
    let lines = lines.map(|line| escape(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

/// `text`, cut if it is long.
fn cut_text(text: &str) -> Option<String> {
    let (end, _) = text.char_indices().nth(LONGEST)?;
    let bytes = text.len();
    Some(format!("{}… (cut; {bytes} bytes in all)", &text[..end]))
}

/// `text` with what is not printable written as in Rust: ESC as `\u{1b}`, a line's end as `\n`.
fn escape(text: &str) -> Option<String> {
    if !text.chars().any(is_hidden) {
        return None;
    }
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\r' | '\t' => escaped.extend(letter.escape_default()),
            letter if is_hidden(letter) => escaped.extend(letter.escape_unicode()),
            letter => escaped.push(letter),
        }
    }
    Some(escaped)
}

/// Whether a letter does something else than to be seen: control characters, separators of lines, and marks that
/// set the direction of writing.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `document` with each text that `change` changes, names of fields that are data among them.
fn map<T, F>(document: &T, change: &F) -> T
where
    T: Serialize + DeserializeOwned,
    F: Fn(&str) -> Option<String>,
{
    let value = serde_json::to_value(document).expect("reports are made of what JSON has");
    let changed = map_value(value, change);
    serde_json::from_value(changed).expect("the words of enums are short and printable")
}

fn map_value<F: Fn(&str) -> Option<String>>(value: Value, change: &F) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text).unwrap_or(text)),
        Value::Array(list) => list.into_iter().map(|it| map_value(it, change)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, it)| (change(&name).unwrap_or(name), map_value(it, change)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped() {
        for (raw, shown) in [
            ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
            ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("a\u{202e}b\u{2066}c", r"a\u{202e}b\u{2066}c"),
        ] {
            assert_eq!(printable(&raw.to_owned()), shown);
        }
        for plain in ["", "x19: Größe “0x1” → `y`\\"] {
            assert_eq!(printable(&plain.to_owned()), plain);
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(printable_lines("a\u{1b}[2J\nb\r\n"), "a\\u{1b}[2J\nb\\r\n");
    }

    #[test]
    fn long_text_is_cut_between_letters_and_says_so() {
        let fits = "ü".repeat(LONGEST);
        assert_eq!(cut(&fits), fits);
        let long = cut(&"ü".repeat(2_000_000));
        assert!(long.ends_with("ü… (cut; 4000000 bytes in all)"), "{long}");
        assert_eq!(
            long.chars().filter(|letter| *letter == 'ü').count(),
            LONGEST
        );
    }

    #[test]
    fn names_of_fields_are_text_too() {
        let map = std::collections::BTreeMap::from([("a\u{1b}".to_owned(), 1)]);
        assert!(printable(&map).contains_key(r"a\u{1b}"));
    }
}
