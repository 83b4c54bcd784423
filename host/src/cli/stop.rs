//! Ctrl-C: the first stops at the next safe point, the second ends the process at once; both lose nothing.

use tokio_util::sync::CancellationToken;

/// Watches for SIGINT and SIGTERM as long as it lives.
pub(super) struct Watch(Option<tokio::task::JoinHandle<()>>);

/// Begins to watch, if signals are ours. `resume` says how to go on later.
pub(super) fn watch(signals: bool, resume: &'static str) -> (CancellationToken, Watch) {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let task = signals.then(|| {
        tokio::spawn(async move {
            if signal().await.is_err() {
                return;
            }
            asked.cancel();
            eprintln!("stopping at the next safe point; {resume}. Once more to quit at once.");
            if signal().await.is_ok() {
                eprintln!("quit; nothing done so far is lost: {resume}.");
                std::process::exit(i32::from(crate::error::EXIT_FAILED));
            }
        })
    });
    (stop, Watch(task))
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
