//! Rust as tokens: comments are gone, and what stands in macros is seen as well.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A file's tokens.
pub fn of(path: &Path) -> TokenStream {
    let parsed = super::text(path).parse();
    parsed.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Calls `visit` with each run of tokens in `stream` that has a delimiter, or the file, of its own.
pub fn visit(stream: TokenStream, visit: &mut impl FnMut(&[TokenTree])) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    visit(&tokens);
    for token in tokens {
        if let TokenTree::Group(group) = token {
            self::visit(group.stream(), visit);
        }
    }
}

/// Whether `token` is this word.
pub fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

/// Whether `token` is this sign.
pub fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// What `token` has in braces, if it is such a group.
pub fn braced(token: Option<&TokenTree>) -> Option<TokenStream> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            Some(group.stream())
        }
        _ => None,
    }
}

/// The names that follow a path's first part, `rest` being what stands after that: one, or those of a `{…}`.
pub fn names_after(rest: &[TokenTree]) -> Vec<String> {
    let [first, second, next, ..] = rest else {
        return Vec::new();
    };
    if !is_sign(Some(first), ':') || !is_sign(Some(second), ':') {
        return Vec::new();
    }
    match (next, braced(Some(next))) {
        (TokenTree::Ident(name), _) => vec![name.to_string()],
        (_, Some(group)) => {
            let tokens: Vec<TokenTree> = group.into_iter().collect();
            let parts = tokens.split(|token| is_sign(Some(token), ','));
            let firsts = parts.filter_map(|part| match part.first() {
                Some(TokenTree::Ident(name)) => Some(name.to_string()),
                _ => None,
            });
            firsts.collect()
        }
        _ => Vec::new(),
    }
}
