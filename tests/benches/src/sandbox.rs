//! How fast a connector is there, and how fast an instance of it; in Rust, and in Python, whose interpreter comes along.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use transload_e2e::lab::{plugin_bytes, plugin_path, target_dir};
use transload_host::clock::SystemClock;
use transload_host::config::Config;
use transload_host::contract::description::Role;
use transload_host::contract::types::Kind;
use transload_host::pipeline::project::Project;
use transload_host::sandbox::{Sandbox, SandboxConfig, digest};

use crate::platforms::{Platforms, Shape};
use crate::table::Line;

/// A connector is loaded so often.
const LOADS: usize = 20;
/// Its smallest call is made so often.
const CALLS: usize = 2_000;
/// What is wanted, ms and µs.
const READY_MS: f64 = 10.0;
const INSTANCE_US: f64 = 100.0;
/// The same of a connector in Python.
const PYTHON_US: f64 = 2_000.0;
/// The connector in Python; where it was not built, it is not measured.
const PYTHON: &str = "postbox";

/// Measures both connectors.
///
/// # Errors
/// A connector that was not built or does not run.
pub async fn measure(dir: &Path) -> Result<Vec<Line>> {
    let mut lines = vec![];
    let python = plugin_path(PYTHON).is_file();
    if !python {
        lines.push(Line::told("postbox was not built: no Python", "", f64::NAN));
    }
    for name in ["kustomer", "zendesk"]
        .into_iter()
        .chain(python.then_some(PYTHON))
    {
        let (path, sha256) = (plugin_path(name), digest(&plugin_bytes(name)?));
        let begun = Instant::now();
        let sandbox = Sandbox::new(SandboxConfig::new(target_dir().join("e2e-cache")))?;
        let engine = begun.elapsed();
        // The first may compile it.
        sandbox.load_file(&path, &sha256).await?;
        let mut times = vec![];
        for _ in 0..LOADS {
            let begun = Instant::now();
            sandbox.load_file(&path, &sha256).await?;
            times.push(begun.elapsed());
        }
        let ready = median(&mut times)?.as_secs_f64() * 1e3;
        lines.push(Line::at_most(
            "e",
            format!("{name} ready from the compiled cache, described"),
            "ms",
            ready,
            READY_MS,
            1.0,
        ));
        lines.push(Line::told(
            format!("  and once a process: the engine for {name}"),
            "ms",
            engine.as_secs_f64() * 1e3,
        ));
    }
    let platforms = Platforms::start(Shape { seed: 1, size: 1 }).await?;
    platforms.project(dir).await?;
    let config = Config::load(&dir.join("migration.toml"))?;
    let project = Project::open_with(dir, config, None, Arc::new(SystemClock)).await?;
    for (name, connection, role) in [
        ("kustomer", "old", Role::Source),
        ("zendesk", "new", Role::Destination),
    ] {
        let side = project.side(connection, role, None).await?;
        let mut times = vec![];
        for _ in 0..CALLS {
            let (plugin, host, ctx) = (&side.plugin, side.reading(), side.context.clone());
            let begun = Instant::now();
            // Calls that ask nothing of anybody: what is left is the instance, the call and the way back.
            match role {
                Role::Source => {
                    let none = Kind::Other("none".to_owned());
                    let parts = plugin.partitions(host, ctx, none, None, 0).await?;
                    ensure!(
                        parts.is_ok_and(|parts| parts.is_empty()),
                        "a part of nothing"
                    );
                }
                Role::Destination => {
                    let found = plugin.match_items(host, ctx, Kind::Tag, vec![]).await?;
                    ensure!(
                        found.is_ok_and(|found| found.is_empty()),
                        "a match for nothing"
                    );
                }
            }
            times.push(begun.elapsed());
        }
        let each = median(&mut times)?.as_secs_f64() * 1e6;
        lines.push(Line::at_most(
            "e",
            format!("{name}: a fresh instance, its smallest call and its end"),
            "µs",
            each,
            INSTANCE_US,
            1.0,
        ));
    }
    if python {
        lines.extend(python_units(&project).await?);
    }
    Ok(lines)
}

/// Units in Python, one after the other and as many at once as there are processors.
async fn python_units(project: &Project) -> Result<Vec<Line>> {
    let side = project.side("old", Role::Source, None).await?;
    let (path, sha256) = (plugin_path(PYTHON), digest(&plugin_bytes(PYTHON)?));
    let plugin = project.sandbox.load_file(&path, &sha256).await?;
    let unit = async || -> Result<()> {
        let none = Kind::Other("none".to_owned());
        let (host, ctx) = (side.reading(), side.context.clone());
        let parts = plugin.partitions(host, ctx, none, None, 0).await?;
        ensure!(
            parts.is_ok_and(|parts| parts.is_empty()),
            "a part of nothing"
        );
        Ok(())
    };
    let mut times = vec![];
    for _ in 0..CALLS / 4 {
        let begun = Instant::now();
        unit().await?;
        times.push(begun.elapsed());
    }
    let alone = median(&mut times)?.as_secs_f64() * 1e6;
    let begun = Instant::now();
    let at_once = 2;
    let work = (0..at_once).map(|_| {
        let (plugin, ctx) = (plugin.clone(), side.context.clone());
        let hosts: Vec<_> = (0..CALLS / 4).map(|_| side.reading()).collect();
        tokio::spawn(async move {
            for host in hosts {
                let none = Kind::Other("none".to_owned());
                let ended = plugin.partitions(host, ctx.clone(), none, None, 0).await;
                ended?.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            }
            anyhow::Ok(())
        })
    });
    for worker in work.collect::<Vec<_>>() {
        worker.await??;
    }
    let each = begun.elapsed().as_secs_f64() * 1e6 / f64::from(at_once * CALLS as u32 / 4);
    Ok(vec![
        Line::at_most(
            "e",
            format!("{PYTHON}, in Python: a fresh instance, its smallest call and its end"),
            "µs",
            alone,
            PYTHON_US,
            1.0,
        ),
        Line::at_most(
            "e",
            format!("  the same, {at_once} at once, time by units"),
            "µs",
            each,
            PYTHON_US,
            1.0,
        ),
    ])
}

fn median(times: &mut [Duration]) -> Result<Duration> {
    times.sort();
    times
        .get(times.len() / 2)
        .copied()
        .context("nothing was measured")
}
