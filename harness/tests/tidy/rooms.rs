//! The harness's rooms: each uses only those before it.

use std::{collections::BTreeSet, path::Path};

use proc_macro2::{TokenStream, TokenTree};

use super::{
    assert_none, files, text,
    tokens::{self, is_sign, is_word, names_after},
};

/// The rooms, in the order of a run's path.
const ROOMS: [&str; 11] = [
    "workspace",
    "catalog",
    "provide",
    "plan",
    "evidence",
    "lab",
    "judge",
    "report",
    "bench",
    "cli",
    "commands",
];

const SOURCES: &str = "harness/src";

/// What is at the crate's root: the library joins the rooms, and the program calls them.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|it| *it == room)
}

#[test]
fn each_room_uses_only_those_before_it() {
    let mut faults = Vec::new();
    for path in files(SOURCES, "rs") {
        let inner = path
            .strip_prefix(SOURCES)
            .expect("it was found there")
            .with_extension("");
        if ROOTS
            .iter()
            .any(|root| path.ends_with(Path::new(SOURCES).join(root)))
        {
            continue;
        }
        let room = inner
            .iter()
            .next()
            .expect("a file has a name")
            .to_string_lossy();
        let Some(own) = place(&room) else {
            faults.push(format!("{}: {room} is no room", path.display()));
            continue;
        };
        let mut used = BTreeSet::new();
        names_at_root(tokens::of(&path), inner.iter().count(), &mut used);
        let wrong = used
            .iter()
            .filter(|name| place(name).is_none_or(|it| it > own));
        faults.extend(wrong.map(|name| format!("{}: {room} uses {name}", path.display())));
    }
    assert_none(&faults);
}

/// Adds the names that `stream`, in a module `depth` below the crate's root, takes from there.
fn names_at_root(stream: TokenStream, depth: usize, names: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for (n, token) in tokens.iter().enumerate() {
        let goes_on = n >= 2 && is_sign(tokens.get(n - 1), ':') && is_sign(tokens.get(n - 2), ':');
        let rest = &tokens[n + 1..];
        if is_word(Some(token), "crate") {
            names.extend(names_after(rest));
        } else if is_word(Some(token), "super") && !goes_on {
            let more = rest.chunks(3).take_while(|part| {
                is_sign(part.first(), ':')
                    && is_sign(part.get(1), ':')
                    && is_word(part.get(2), "super")
            });
            let more = more.count();
            if more + 1 >= depth {
                names.extend(names_after(&rest[3 * more..]));
            }
        } else if let TokenTree::Group(group) = token {
            let is_module = n >= 2 && is_word(tokens.get(n - 2), "mod");
            names_at_root(group.stream(), depth + usize::from(is_module), names);
        }
    }
}

#[test]
fn the_library_has_these_rooms_and_describes_them_in_order() {
    let library = text(Path::new(SOURCES).join("lib.rs"));
    let modules = library.lines().filter_map(|line| {
        let name = line
            .strip_prefix("pub ")
            .unwrap_or(line)
            .strip_prefix("mod ")?;
        name.strip_suffix(';')
    });
    assert_eq!(modules.collect::<BTreeSet<_>>(), ROOMS.into());
    let docs: String = library
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    let named: Vec<&str> = docs
        .split("[`")
        .skip(1)
        .filter_map(|it| it.split('`').next())
        .collect();
    assert!(named.starts_with(&ROOMS), "{named:?}");
}
