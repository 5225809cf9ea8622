//! The parts of a long text that a person reads: its beginning and its end.

use std::collections::VecDeque;

/// How much is kept of the beginning, and of the end.
const HEAD: usize = 4 << 20;
const TAIL: usize = 1 << 20;

/// The first 4 MiB and the last 1 MiB of what was pushed.
#[derive(Clone, Debug, Default)]
pub struct Excerpt {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: usize,
}

impl Excerpt {
    /// Appends `bytes`.
    pub fn push(&mut self, bytes: &[u8]) {
        let (head, tail) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(tail);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.dropped += excess;
    }

    /// Whether nothing was left out.
    pub fn is_whole(&self) -> bool {
        self.dropped == 0
    }

    /// What was kept, with a line that says what was not.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        if self.dropped > 0 {
            bytes.extend(format!("\n[setway: {} bytes left out here]\n", self.dropped).bytes());
        }
        bytes.extend(&self.tail);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_kept_whole() {
        let mut excerpt = Excerpt::default();
        excerpt.push(b"one ");
        excerpt.push(b"two");
        assert_eq!(excerpt.to_bytes(), b"one two");
    }

    #[test]
    fn long_text_keeps_both_ends() {
        let mut excerpt = Excerpt::default();
        excerpt.push(b"first");
        (0..7).for_each(|_| excerpt.push(&vec![b'.'; 1 << 20]));
        excerpt.push(b"last");
        let bytes = excerpt.to_bytes();
        assert!(bytes.starts_with(b"first") && bytes.ends_with(b"last"));
        assert!(bytes.len() < HEAD + TAIL + 100);
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.contains("[setway: 2097161 bytes left out here]"),
            "{}",
            &text[HEAD..HEAD + 60]
        );
    }
}
