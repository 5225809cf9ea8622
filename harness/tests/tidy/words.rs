//! Words that mean one thing here have one spelling, and words that mean nothing exact are not used.

use std::path::Path;

use super::{assert_none, files, text};

/// What does not appear, in any case, and what does instead. A space at an end is the end of a word.
const WORDS: [(&str, &str); 11] = [
    ("point of coherence", "point of coherency, as Arm calls it"),
    (" mend ", "correct, fix"),
    (" mends ", "corrects, fixes"),
    ("; nothing if ", "`None` if"),
    ("behind the end", "after the end"),
    ("somebody ", "a name for who it is"),
    (" but for ", "except for"),
    ("behind a fault", "after a fault"),
    ("behind the last", "after the last"),
    ("safety likewise", "what holds, said again"),
    (" shards", "the parts of a run"),
];

#[test]
fn documents_and_messages_keep_to_the_glossary() {
    let this = Path::new("harness/tests/tidy/words.rs");
    let mut faults = Vec::new();
    for path in [files("", "rs"), files("", "md")].concat() {
        if path == this {
            continue;
        }
        for (n, line) in text(&path).lines().enumerate() {
            let plain = |c: char| {
                if c.is_alphanumeric() || "`;".contains(c) {
                    c
                } else {
                    ' '
                }
            };
            let line: String = line.to_lowercase().chars().map(plain).collect();
            let line = format!(" {line} ");
            let found = WORDS.iter().filter(|(word, _)| line.contains(word));
            faults.extend(found.map(|(word, better)| {
                format!(
                    "{}:{}: `{}`: better {better}",
                    path.display(),
                    n + 1,
                    word.trim()
                )
            }));
        }
    }
    assert_none(&faults);
}
