//! One way to write what can be written in several.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};

use super::{
    assert_none, files, text,
    tokens::{self, braced, is_sign, is_word},
};

/// The most lines of a file, as nobody reads longer ones as a whole.
const MOST_LINES: usize = 500;

#[test]
fn no_file_is_long() {
    let mut faults = Vec::new();
    for path in files("", "rs") {
        let lines = text(&path).lines().count();
        if lines > MOST_LINES {
            faults.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert_none(&faults);
}

#[test]
fn a_module_is_a_file_by_its_name() {
    let paths = files("", "rs")
        .into_iter()
        .filter(|path| path.ends_with("mod.rs"));
    let faults: Vec<String> = paths.map(|path| path.display().to_string()).collect();
    assert_none(&faults);
}

/// Fails with what `check` finds in any run of tokens of any file.
#[track_caller]
fn assert_everywhere(check: impl Fn(&[TokenTree]) -> Vec<String>) {
    let mut faults = Vec::new();
    for path in files("", "rs") {
        tokens::visit(tokens::of(&path), &mut |tokens| {
            let found = check(tokens).into_iter();
            faults.extend(found.map(|fault| format!("{}:{fault}", path.display())));
        });
    }
    assert_none(&faults);
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

#[test]
fn what_is_used_of_a_crate_is_one_item() {
    assert_everywhere(|tokens| {
        let mut items = BTreeMap::<(String, String), Vec<usize>>::new();
        for (n, token) in tokens.iter().enumerate() {
            let rest = tokens[n + 1..]
                .iter()
                .find(|token| !is_sign(Some(token), ':'));
            let Some(TokenTree::Ident(first)) = rest.filter(|_| is_word(Some(token), "use")) else {
                continue;
            };
            // Its attributes and whether it is public: what differs in those cannot be one item.
            let before = tokens[..n].iter().rev();
            let before =
                before.take_while(|it| !is_sign(Some(it), ';') && braced(Some(it)).is_none());
            let before: Vec<String> = before.map(TokenTree::to_string).collect();
            let before = before.into_iter().rev().skip_while(|it| it == "#!");
            let key = (first.to_string(), before.collect::<String>());
            items.entry(key).or_default().push(line(token));
        }
        let twice = items.into_iter().filter(|(_, lines)| lines.len() > 1);
        let fault = |((first, _), lines): ((String, String), Vec<usize>)| {
            format!("{}: `use {first}` in {} items", lines[1], lines.len())
        };
        twice.map(fault).collect()
    });
}

#[test]
fn a_choice_between_two_ways_is_an_if() {
    let is_bool = |arms: TokenStream| {
        let arms: Vec<TokenTree> = arms.into_iter().take(3).collect();
        let first = ["true", "false"]
            .iter()
            .any(|word| is_word(arms.first(), word));
        first && is_sign(arms.get(1), '=') && is_sign(arms.get(2), '>')
    };
    assert_everywhere(|tokens| {
        let wrong = tokens
            .iter()
            .filter(|token| braced(Some(token)).is_some_and(is_bool));
        wrong
            .map(|token| format!("{}: `match` of a bool", line(token)))
            .collect()
    });
}

#[test]
fn what_is_called_is_or_has_answers_yes_or_no() {
    assert_everywhere(|tokens| {
        let mut faults = Vec::new();
        for (n, token) in tokens.iter().enumerate() {
            let Some(TokenTree::Ident(name)) = tokens.get(n + 1) else {
                continue;
            };
            let name = name.to_string();
            let promises = name.starts_with("is_") || name.starts_with("has_");
            if !is_word(Some(token), "fn") || !promises {
                continue;
            }
            let signature = tokens[n..].iter();
            let signature =
                signature.take_while(|it| braced(Some(it)).is_none() && !is_sign(Some(it), ';'));
            let signature: String = signature.map(TokenTree::to_string).collect();
            let returned = signature.rsplit_once("->").map(|(_, returned)| returned);
            // Finding the answer may fail.
            let answers = ["bool", "Result<bool", "io::Result<bool"];
            if !returned.is_some_and(|it| answers.iter().any(|answer| it.starts_with(answer))) {
                faults.push(format!("{}: `{name}` does not return bool", line(token)));
            }
        }
        faults
    });
}
