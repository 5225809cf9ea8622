//! The kernel command line: `key=value` words.

/// The value of `key` in `args`.
pub fn value<'a>(args: &'a str, key: &str) -> Option<&'a str> {
    args.split_ascii_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// Splits `args` at the word `--`, as Linux does: before it what is ours, behind it what we pass on.
pub fn split(args: &str) -> (&str, &str) {
    let (ours, theirs) = args.split_once(" -- ").unwrap_or((args, ""));
    (ours.trim(), theirs.trim())
}
