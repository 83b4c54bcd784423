//! Standard output, standard error and the person behind them, if there is one.

use std::io::{BufRead, ErrorKind, IsTerminal, Write};

use serde::Serialize;

use crate::error::Error;
use crate::report::{self, Width};

/// Where a command prints and asks. Tests give it buffers.
pub struct Console<'a> {
    out: &'a mut (dyn Write + Send),
    err: &'a mut (dyn Write + Send),
    /// Answers are read from here; `None` if nobody can answer.
    answers: Option<&'a mut (dyn BufRead + Send)>,
    /// One JSON document instead of text.
    pub json: bool,
    /// Bars can be drawn on standard error.
    pub bars: bool,
    /// Signals are ours to handle.
    pub signals: bool,
    /// How wide the text on standard output may be.
    pub width: Width,
}

impl<'a> Console<'a> {
    /// The process's own streams. `answers` is used if a person sits at both ends.
    pub fn of_process(
        out: &'a mut (dyn Write + Send),
        err: &'a mut (dyn Write + Send),
        answers: &'a mut (dyn BufRead + Send),
        json: bool,
    ) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let bars = std::io::stderr().is_terminal();
        let someone = bars && !json && std::io::stdin().is_terminal();
        // comfy-table knows how to ask a terminal.
        let width = if terminal {
            comfy_table::Table::new().width()
        } else {
            None
        };
        Self {
            out,
            err,
            answers: someone.then_some(answers),
            json,
            bars,
            signals: true,
            width,
        }
    }

    /// Streams of a test or of another program: no terminal; somebody answers if `answers` is given.
    pub fn of_buffers(
        out: &'a mut (dyn Write + Send),
        err: &'a mut (dyn Write + Send),
        answers: Option<&'a mut (dyn BufRead + Send)>,
        json: bool,
    ) -> Self {
        Self {
            out,
            err,
            answers,
            json,
            bars: false,
            signals: false,
            width: None,
        }
    }

    /// The answer of a command: `value` with `--json`, else the text.
    pub fn answer<T: Serialize>(
        &mut self,
        value: &T,
        text: impl FnOnce(Width) -> String,
    ) -> Result<(), Error> {
        let mut answer = match self.json {
            true => serde_json::to_string_pretty(value).map_err(|e| {
                Error::failed("json", "the answer cannot be written as JSON").with_source(e)
            })?,
            false => text(self.width),
        };
        if !answer.ends_with('\n') {
            answer.push('\n');
        }
        let written = self
            .out
            .write_all(answer.as_bytes())
            .and_then(|()| self.out.flush());
        match written {
            // Whoever read us has seen enough: `transload report | head`.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|e| Error::io("write", "the standard output", e)),
        }
    }

    /// Something to know beside the answer.
    pub fn say(&mut self, text: &str) {
        // Nobody is left to tell if this fails.
        let _ = writeln!(self.err, "{text}");
    }

    /// What ended the command: JSON on standard output with `--json`, else text on standard error.
    pub fn error(&mut self, error: &Error) {
        if self.json {
            let document = serde_json::json!({ "error": error.to_json() });
            // The exit code tells the rest if this fails.
            let _ = writeln!(self.out, "{document:#}").and_then(|()| self.out.flush());
            return;
        }
        let mut causes = error.causes().into_iter();
        let lines = |text: String| {
            // A message may hold lines of its own (a caret); each of them is made safe to print.
            text.lines()
                .map(report::clean)
                .collect::<Vec<_>>()
                .join("\n")
        };
        self.say(&format!(
            "error: {}",
            lines(causes.next().unwrap_or_default())
        ));
        for cause in causes {
            self.say(&format!("  because: {}", lines(cause)));
        }
        if let Some(hint) = error.hint() {
            self.say(&format!("  help: {}", lines(hint)));
        }
    }

    /// Whether somebody is there to be asked.
    pub fn can_ask(&self) -> bool {
        self.answers.is_some()
    }

    /// Shows a text and asks; only `y` and `yes` are a yes.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub fn ask(&mut self, text: &str, question: &str) -> Result<bool, Error> {
        let Some(answers) = self.answers.as_mut() else {
            return Ok(false);
        };
        let _ = write!(self.err, "{text}\n{question} [y/N] ").and_then(|()| self.err.flush());
        let mut line = String::new();
        answers
            .read_line(&mut line)
            .map_err(|e| Error::io("read", "the answer", e))?;
        Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}
