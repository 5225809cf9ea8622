//! The live line on a terminal: how far, how many are red, and what is running now.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::judge::Verdict;

/// Progress of many runs.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Vec<String>,
    red: usize,
}

impl Progress {
    /// Begins. Off a terminal nothing will be shown.
    pub fn start(runs: usize) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(runs as u64), target);
        let template = "[{elapsed_precise}] {bar:24} {pos}/{len} {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            bar,
            state: Mutex::default(),
        }
    }

    /// Does `work`, and shows `label` meanwhile.
    pub fn during<T>(&self, label: &str, work: impl FnOnce() -> T) -> T {
        self.change(|state| state.running.push(label.to_owned()));
        let result = work();
        self.change(|state| state.running.retain(|running| running != label));
        result
    }

    /// One run is over.
    pub fn done(&self, verdict: Verdict) {
        self.change(|state| state.red += usize::from(verdict.is_bad()));
        self.bar.inc(1);
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let red = match state.red {
            0 => String::new(),
            red => format!("{red} red; "),
        };
        self.bar
            .set_message(format!("{red}{}", state.running.join(" ")));
    }
}
