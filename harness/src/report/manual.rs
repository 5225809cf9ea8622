//! Manual pages for people: as wide as the terminal, with headings that stand out.

use std::fmt::{self, Write as _};

use setway_report::{Entry, Page, Passage, Section};

use super::{
    human::style::{BOLD, padding},
    prose,
};

/// How far text stands from the left.
const INDENT: usize = 4;

/// The longest name that what is said of it stands beside.
const NAME: usize = 44;

/// The least room for what is said beside a name.
const ABOUT: usize = 30;

/// The widths that prose is read at with ease.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=100;

/// `pages`, one after the other, for a terminal of `width` columns.
pub fn text(pages: &[Page], width: usize) -> String {
    let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let mut text = String::new();
    for (n, page) in pages.iter().enumerate() {
        let between = if n > 0 { "\n" } else { "" };
        text += between;
        write(&mut text, page, width).expect("writing to a string cannot fail");
    }
    text
}

fn write(text: &mut String, page: &Page, width: usize) -> fmt::Result {
    let name = Section {
        heading: "NAME".to_owned(),
        passages: vec![Passage::Text(format!(
            "{} ({}): {}",
            page.name, page.kind, page.title
        ))],
    };
    for (n, section) in std::iter::once(&name).chain(&page.sections).enumerate() {
        let between = if n > 0 { "\n" } else { "" };
        writeln!(text, "{between}{BOLD}{}{BOLD:#}", section.heading)?;
        for (n, passage) in section.passages.iter().enumerate() {
            if n > 0 {
                writeln!(text)?;
            }
            passage_lines(text, passage, width)?;
        }
    }
    Ok(())
}

fn passage_lines(text: &mut String, passage: &Passage, width: usize) -> fmt::Result {
    let indent = " ".repeat(INDENT);
    match passage {
        Passage::Text(prose) => {
            for line in prose::flow(prose, width - INDENT) {
                end(text, &format!("{indent}{line}"))?;
            }
        }
        Passage::Code(code) => {
            for line in code.lines() {
                end(text, &format!("{indent}{line}"))?;
            }
        }
        Passage::Entries(entries) => self::entries(text, entries, width)?,
    }
    Ok(())
}

fn entries(text: &mut String, entries: &[Entry], width: usize) -> fmt::Result {
    // Beside long names there is no room on a narrow terminal.
    let most = NAME.min(width.saturating_sub(INDENT + 2 + ABOUT));
    let lengths = entries.iter().map(|it| it.name.chars().count());
    let column = lengths.filter(|length| *length <= most).max();
    let column = column.unwrap_or(INDENT);
    let start = INDENT + column + 2;
    for Entry { name, text: about } in entries {
        let mut lines = prose::wrap(about, width - start).into_iter();
        let indent = " ".repeat(INDENT);
        if name.chars().count() <= column {
            let first = lines.next().unwrap_or_default();
            let space = padding(name, column);
            end(
                text,
                &format!("{indent}{BOLD}{name}{BOLD:#}{space}  {first}"),
            )?;
        } else {
            end(text, &format!("{indent}{BOLD}{name}{BOLD:#}"))?;
        }
        for line in lines {
            end(text, &format!("{}{line}", " ".repeat(start)))?;
        }
    }
    Ok(())
}

/// A line without spaces at its end.
fn end(text: &mut String, line: &str) -> fmt::Result {
    writeln!(text, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let entry = |name: &str, text: &str| Entry {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        Page {
            kind: "rule".to_owned(),
            name: "SW-X".to_owned(),
            title: "what must hold".to_owned(),
            sections: vec![Section {
                heading: "CASES".to_owned(),
                passages: vec![
                    Passage::Entries(vec![
                        entry("a", "one two three four five six seven eight"),
                        entry("a name that is too long to stand beside it", "nine"),
                    ]),
                    Passage::Code(
                        "cargo run -- run a-command-that-nobody-breaks --isa a64".to_owned(),
                    ),
                ],
            }],
        }
    }

    #[test]
    fn a_page_is_as_wide_as_the_terminal() {
        let plain = anstream::adapter::strip_str(&text(&[page()], 40)).to_string();
        assert_eq!(
            plain,
            "NAME\n    SW-X (rule): what must hold\n\nCASES\n    a  one two three four five six seven\n       \
             eight\n    a name that is too long to stand beside it\n       nine\n\n    cargo run -- run \
             a-command-that-nobody-breaks --isa a64\n"
        );
        // What no terminal can be: still a page.
        assert_eq!(text(&[page()], 0), text(&[page()], 40));
    }
}
