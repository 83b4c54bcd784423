//! `transload-simulators <platform>`: serves one simulated platform on the loopback interface until it is killed.

use std::io::Write;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use transload_simulators::common::{Clock, Faults, Harness, Started};
use transload_simulators::{
    freshdesk, gorgias, hubspot, intercom, kustomer, salesforce, zendesk, zoho_desk,
};

/// Simulated helpdesk platforms, for demos and tests by hand.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Subcommand)]
enum Platform {
    /// A Freshdesk account to write to.
    Freshdesk(Common),
    /// A Gorgias account to write to.
    Gorgias(Common),
    /// A HubSpot account with Service Hub to write to.
    Hubspot(Common),
    /// An Intercom workspace to write to.
    Intercom(Common),
    /// A Kustomer organisation to read from.
    Kustomer(Common),
    /// A Salesforce org with Service Cloud to write to.
    Salesforce(Common),
    /// A Zendesk account to write to.
    Zendesk(Common),
    /// A Zoho Desk portal to write to.
    ZohoDesk(Common),
}

#[derive(Args)]
struct Common {
    /// Port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Seed of everything that is drawn; the same seed gives the same data.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many conversations a source holds.
    #[arg(long, default_value_t = 1_000)]
    size: usize,
    /// Faults, as `METHOD PATH OCCURRENCE ACTION; …`, for example `POST /v1/** %10 status=503`.
    #[arg(long, default_value = "")]
    faults: String,
    /// Do not limit the rate of calls.
    #[arg(long)]
    no_limits: bool,
    /// Print one line of JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match Cli::parse().platform {
        Platform::Freshdesk(common) => {
            let simulator = freshdesk::Simulator::new(freshdesk::Config {
                seed: common.seed,
                ..freshdesk::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
        Platform::Gorgias(common) => {
            let simulator = gorgias::Simulator::new(gorgias::Config {
                seed: common.seed,
                ..gorgias::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
        Platform::Hubspot(common) => {
            let simulator = hubspot::Simulator::new(hubspot::Config {
                seed: common.seed,
                ..hubspot::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
        Platform::Intercom(common) => {
            let simulator = intercom::Simulator::new(intercom::Config {
                seed: common.seed,
                ..intercom::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
        Platform::Kustomer(common) => {
            let simulator = kustomer::Simulator::new(kustomer::Config {
                seed: common.seed,
                size: common.size,
                clock: Clock::real(),
                longest_thread: 3_000,
                attachment_cap: 20 * 1024 * 1024,
                ..kustomer::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
        Platform::Salesforce(common) => {
            let simulator = salesforce::Simulator::new(salesforce::Config {
                seed: common.seed,
                ..salesforce::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
        Platform::Zendesk(common) => {
            let simulator = zendesk::Simulator::new(zendesk::Config {
                seed: common.seed,
                ..zendesk::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
        Platform::ZohoDesk(common) => {
            let simulator = zoho_desk::Simulator::new(zoho_desk::Config {
                seed: common.seed,
                ..zoho_desk::Config::default()
            });
            prepare(simulator.harness(), &common)?;
            announce(simulator.serve(common.port).await?, &common).await
        }
    }
}

fn prepare(harness: &Harness, common: &Common) -> anyhow::Result<()> {
    for fault in Faults::parse(&common.faults).context("reading --faults")? {
        harness.faults.add(fault);
    }
    harness.limits.set_off(common.no_limits);
    // Nobody reads the records of a simulator that runs by itself.
    harness.recorder.set_on(false);
    Ok(())
}

async fn announce(server: Started, common: &Common) -> anyhow::Result<()> {
    let line = if common.json {
        serde_json::json!({ "listening": server.base_url, "port": server.address.port() })
            .to_string()
    } else {
        format!("listening on {}", server.base_url)
    };
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    server.wait().await;
    Ok(())
}
