//! Pages of the kernel's ring buffer, as `trace_pipe_raw` gives them.
//!
//! The layout is that of `events/header_page` and `events/header_event` in tracefs: a page begins with a
//! time and the length of its data; each event in the data begins with a word that holds a type or
//! length in bits 4:0 and the time since the event before in bits 31:5.

/// Bytes of a page's head: its time, and the length of its data.
const HEAD: usize = 16;

/// The length of the data in the head's second word; the bits above say that events are missing
/// before the page.
const LENGTH: u64 = 0xf_ffff;

/// Types of an event's first word. Smaller ones are lengths in words; 0 is a length in the next word.
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;

/// Bits of a time that the first word holds.
const DELTA_BITS: u32 = 27;
/// Bits of an absolute time that its event holds; the others are those of the time before.
const STAMP_BITS: u32 = 59;

/// The events of one page, each with its time.
#[derive(Debug)]
pub struct Page<'a> {
    data: &'a [u8],
    time: u64,
}

/// The events of `page`.
pub fn events(page: &[u8]) -> Page<'_> {
    let number = |at: usize| {
        let bytes = page.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let length = (number(8) & LENGTH) as usize;
    let data = page.get(HEAD..).unwrap_or_default();
    Page {
        data: &data[..length.min(data.len())],
        time: number(0),
    }
}

impl<'a> Page<'a> {
    /// Takes `bytes` bytes; `None` at the end of the page.
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.data.split_at_checked(bytes)?;
        self.data = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    }
}

impl<'a> Iterator for Page<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let word = self.word()?;
            let delta = u64::from(word >> 5);
            match word & 0x1f {
                // Nothing follows on this page.
                PADDING if delta == 0 => return None,
                PADDING => {
                    self.time += delta;
                    let bytes = self.word()? as usize;
                    self.take(bytes.saturating_sub(4))?;
                }
                TIME_EXTEND => {
                    let high = u64::from(self.word()?);
                    self.time += high << DELTA_BITS | delta;
                }
                TIME_STAMP => {
                    let high = u64::from(self.word()?);
                    let before = self.time >> STAMP_BITS << STAMP_BITS;
                    self.time = before | high << DELTA_BITS | delta;
                }
                0 => {
                    self.time += delta;
                    let bytes = self.word()? as usize;
                    return Some((self.time, self.take(bytes.saturating_sub(4))?));
                }
                words => {
                    self.time += delta;
                    return Some((self.time, self.take(4 * words as usize)?));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(time: u64, words: &[u32]) -> Vec<u8> {
        let data: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut page = time.to_le_bytes().to_vec();
        // The flags of missed events are not part of the length.
        page.extend((data.len() as u64 | 3 << 30).to_le_bytes());
        page.extend(data);
        page.resize(4096, 0xff);
        page
    }

    #[test]
    fn events_of_every_form_are_read() {
        let first = |kind: u32, delta: u32| delta << 5 | kind;
        let page = page(
            1000,
            &[
                first(1, 5),
                0xaaaa,
                first(TIME_EXTEND, 1),
                1,
                first(0, 0),
                4 + 4,
                0xbbbb,
                first(PADDING, 1),
                4 + 4,
                0,
                first(TIME_STAMP, 3),
                0,
                first(1, 1),
                0xcccc,
                first(PADDING, 0),
                0xdead_beef,
            ],
        );
        let found: Vec<_> = events(&page)
            .map(|(time, bytes)| (time, u32::from_le_bytes(bytes.try_into().unwrap())))
            .collect();
        let extended = 1005 + (1 << 27) + 1;
        assert_eq!(found, [(1005, 0xaaaa), (extended, 0xbbbb), (4, 0xcccc)]);
    }

    #[test]
    fn a_page_that_is_cut_off_ends() {
        assert_eq!(events(&[]).count(), 0);
        assert_eq!(events(&page(0, &[7])).count(), 0);
        let short = page(0, &[2, 1, 2, 2, 1]);
        assert_eq!(events(&short).count(), 1);
        assert_eq!(events(&short[..20]).count(), 0);
    }
}
