//! Progress on standard error: bars on a terminal, now and then a line elsewhere.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::pipeline::model::{Events, Notice, Severity};
use crate::report::{clean, duration, number};

/// A line of one kind at most this often.
const EVERY: Duration = Duration::from_secs(5);

/// Shows what is going on.
pub(super) struct Progress {
    show: Show,
    state: Mutex<State>,
}

enum Show {
    Bars(MultiProgress),
    Lines(Box<dyn Fn(&str) + Send + Sync>),
}

#[derive(Default)]
struct State {
    phase: String,
    kinds: HashMap<String, Track>,
}

struct Track {
    began: Instant,
    /// Done when we first heard of it: a resumed run does not begin at 0.
    first: u64,
    shown: Option<Instant>,
    finished: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Bars if standard error is a terminal, lines else.
    pub fn new(bars: bool) -> Self {
        Self {
            show: match bars {
                true => Show::Bars(MultiProgress::new()),
                // Nobody is left to tell if standard error is gone.
                false => Show::Lines(Box::new(|line| eprintln!("{line}"))),
            },
            state: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn with_lines(show: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            show: Show::Lines(Box::new(show)),
            state: Mutex::default(),
        }
    }

    fn line(&self, text: &str) {
        match &self.show {
            Show::Bars(bars) => {
                let _ = bars.println(text);
            }
            Show::Lines(show) => show(text),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is drawn may be half drawn; no other harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(bars: &MultiProgress, phase: &str, kind: &str) -> ProgressBar {
        let bar = bars.add(ProgressBar::no_length());
        let template = "{prefix:<28} {bar:30} {human_pos}/{human_len} {per_sec:>10}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(format!("{} {}", clean(phase), clean(kind)));
        bar
    }
}

impl Events for Progress {
    fn phase(&self, name: &str) {
        let mut state = self.state();
        for track in state.kinds.drain().filter_map(|(_, track)| track.bar) {
            track.abandon();
        }
        state.phase = name.to_owned();
        drop(state);
        self.line(&format!("── {}", clean(name)));
    }

    fn progress(&self, kind: &str, done: u64, total: Option<u64>) {
        // Records that are tried again are counted again.
        let total = total.map(|total| total.max(done));
        let now = Instant::now();
        let mut state = self.state();
        let phase = state.phase.clone();
        let track = state.kinds.entry(kind.to_owned()).or_insert_with(|| Track {
            began: now,
            first: done,
            shown: None,
            finished: false,
            bar: match &self.show {
                Show::Bars(bars) => Some(Self::bar(bars, &phase, kind)),
                Show::Lines(_) => None,
            },
        });
        let elapsed = now.saturating_duration_since(track.began).as_secs_f64();
        let rate = if elapsed > 0.0 {
            done.saturating_sub(track.first) as f64 / elapsed
        } else {
            0.0
        };
        let left = total.filter(|_| rate > 0.0).map(|total| {
            let seconds = total.saturating_sub(done) as f64 / rate;
            format!("{} left", duration((seconds * 1000.0) as u64))
        });
        if let Some(bar) = &track.bar {
            if let Some(total) = total {
                bar.set_length(total.max(done));
            }
            bar.set_position(done);
            bar.set_message(left.unwrap_or_default());
            return;
        }
        let finished = total == Some(done);
        let due = track
            .shown
            .is_none_or(|at| now.saturating_duration_since(at) >= EVERY);
        if !(due || finished) || (finished && track.finished) {
            return;
        }
        track.shown = Some(now);
        track.finished = finished;
        drop(state);
        let mut text = format!("{} {}: {}", clean(&phase), clean(kind), number(done));
        if let Some(total) = total {
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
            text.push_str(&format!(" of {} ({percent} %)", number(total)));
        }
        if rate >= 0.1 {
            text.push_str(&format!(", {rate:.1}/s"));
        }
        match left {
            Some(left) if !finished => text.push_str(&format!(", {left}")),
            _ => {}
        }
        self.line(&text);
    }

    fn paused(&self, connection: &str, reason: Option<&str>) {
        let connection = clean(connection);
        self.line(&match reason {
            Some(reason) => format!("{connection} waits: {}", clean(reason)),
            None => format!("{connection} goes on"),
        });
    }

    fn notice(&self, notice: &Notice) {
        let mark = match notice.severity {
            Severity::Info => "info",
            Severity::Caution => "caution",
            Severity::Danger => "DANGER",
        };
        let mut text = format!(
            "{mark}: {}: {} [{}]",
            clean(&notice.from),
            clean(&notice.message),
            clean(&notice.code)
        );
        if let Some(remedy) = &notice.remedy {
            text.push_str(&format!("\n  help: {}", clean(remedy)));
        }
        self.line(&text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        for bar in self
            .state()
            .kinds
            .drain()
            .filter_map(|(_, track)| track.bar)
        {
            bar.abandon();
        }
    }
}
