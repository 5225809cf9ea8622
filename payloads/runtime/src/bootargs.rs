//! The kernel command line: `key=value` words.

/// The value of `key` in `args`.
pub fn value<'a>(args: &'a str, key: &str) -> Option<&'a str> {
    args.split_ascii_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// Splits `args` at the word `--`, as Linux does: before it the image's own, after it what it passes on.
pub fn split(args: &str) -> (&str, &str) {
    let (own, passed_on) = args.split_once(" -- ").unwrap_or((args, ""));
    (own.trim(), passed_on.trim())
}
