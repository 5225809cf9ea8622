//! Breaking prose into lines of a width: a terminal's, or a mail's.
//!
//! Prose is as data files have it: lines that follow each other are one paragraph, wherever they were broken; a line
//! that begins with spaces stands for itself.

/// How much further the rest of a line goes that stands for itself and does not fit.
const HANGING: usize = 2;

/// `text` in lines of at most `width` characters, unless a word is longer than that.
pub fn flow(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    for line in text.trim_matches('\n').lines() {
        let indent = line.chars().take_while(|it| *it == ' ').count();
        if indent > 0 || line.trim().is_empty() {
            fill(&mut paragraph, width, &mut lines);
            let indented = wrap(line, width.saturating_sub(indent + HANGING));
            let spaces = " ".repeat(indent);
            if fits(line, width) {
                lines.push(line.trim_end().to_owned());
            } else {
                for (n, part) in indented.iter().enumerate() {
                    let hanging = " ".repeat(if n == 0 { 0 } else { HANGING });
                    lines.push(format!("{spaces}{hanging}{part}"));
                }
            }
        } else {
            paragraph.push(line);
        }
    }
    fill(&mut paragraph, width, &mut lines);
    lines
}

/// Adds a paragraph to `lines`.
fn fill(paragraph: &mut Vec<&str>, width: usize, lines: &mut Vec<String>) {
    lines.extend(wrap(&paragraph.join(" "), width));
    paragraph.clear();
}

/// The words of `text` in lines of at most `width` characters; none if there are no words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if fits(line, width.saturating_sub(word.chars().count() + 1)) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn fits(line: &str, width: usize) -> bool {
    line.trim_end().chars().count() <= width
}

/// `text` as one line, whichever lines it was broken into.
pub fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_flow_and_indented_lines_stand() {
        let text = "one two\nthree four\n  five  six\n\nseven\n";
        assert_eq!(
            flow(text, 9),
            ["one two", "three", "four", "  five", "    six", "", "seven"]
        );
        assert_eq!(
            flow(text, 80),
            ["one two three four", "  five  six", "", "seven"]
        );
    }

    #[test]
    fn no_line_is_wider_unless_a_word_is() {
        let text = "Größe a bb ccc dddd eeeee ffffff ggggggg";
        for width in 1..50 {
            for line in flow(text, width) {
                let is_word = !line.contains(' ');
                assert!(line.chars().count() <= width || is_word, "{width}: {line}");
            }
            assert_eq!(flow(text, width).join(" "), text);
        }
    }
}
