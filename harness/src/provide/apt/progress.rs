//! What a person sees while something is fetched: a moving line on a terminal, two plain lines
//! elsewhere. All of it goes to stderr.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Progress of fetching one tree.
pub struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    start: Instant,
}

impl Progress {
    /// Begins, and says so.
    pub fn start(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let progress = Self {
            name: name.to_owned(),
            bar,
            start: Instant::now(),
        };
        match &progress.bar {
            Some(_) => progress.stage("starting"),
            None => eprintln!("fetching {name} from the Debian archive"),
        }
        progress
    }

    /// A stage without a known length.
    pub fn stage(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_style(template("{spinner} {msg}"));
            bar.set_message(format!("fetching {}: {text}", self.name));
        }
    }

    /// A stage of `total` steps or bytes; `set` moves it.
    pub fn measured(&self, text: &str, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_style(template("{spinner} {msg} [{bar:24}] {percent}%"));
            bar.set_message(format!("fetching {}: {text}", self.name));
            bar.set_length(total);
            bar.set_position(0);
        }
    }

    /// How far the measured stage has come.
    pub fn set(&self, position: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        }
    }

    /// Ends with one line that stays.
    pub fn finish(self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!(
            "fetched {}: {} MB in {:.0} s",
            self.name,
            megabytes(bytes),
            self.start.elapsed().as_secs_f64()
        );
    }
}

/// Bytes as whole megabytes, rounded up so that little is not nothing.
pub fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}

impl Drop for Progress {
    /// A fetch that failed leaves a clean line for the error.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
