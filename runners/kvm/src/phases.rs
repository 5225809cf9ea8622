//! Where the time goes: what a run did, and how long each part of it took.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// The parts of a run so far.
#[derive(Debug)]
pub struct Phases {
    began: Instant,
    last: Instant,
    parts: Vec<(&'static str, Duration)>,
}

impl Default for Phases {
    fn default() -> Self {
        let began = Instant::now();
        Self {
            began,
            last: began,
            parts: Vec::new(),
        }
    }
}

impl Phases {
    /// What was done since the last call was `part`.
    pub fn over(&mut self, part: &'static str) {
        let now = Instant::now();
        self.parts.push((part, now - self.last));
        self.last = now;
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, time) in &self.parts {
            write!(f, "{part} {:.1} ms, ", time.as_secs_f64() * 1e3)?;
        }
        let all = self.last - self.began;
        write!(f, "in all {:.1} ms", all.as_secs_f64() * 1e3)
    }
}
