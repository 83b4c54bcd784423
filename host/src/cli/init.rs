//! `transload init`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::{Cli, Console, packages};
use crate::config::{Config, FILE_NAME, PluginRequest};
use crate::contract::description::{Description, Role};
use crate::error::{EXIT_OK, Error};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin to read with, as in acme-desk@^0.1
    #[arg(long, value_name = "PLUGIN")]
    from: Option<PluginRequest>,
    /// The plugin to write with
    #[arg(long, value_name = "PLUGIN")]
    to: Option<PluginRequest>,
}

#[derive(Serialize)]
struct Written {
    written: String,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let source = describe(cli, args.from.as_ref(), Role::Source).await?;
    let destination = describe(cli, args.to.as_ref(), Role::Destination).await?;
    let text = Config::template(source.as_ref(), destination.as_ref());
    std::fs::create_dir_all(&cli.project).map_err(|e| Error::io("create", &cli.project, e))?;
    let path = cli.project.join(FILE_NAME);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => {
                Error::input("exists", format!("{} is there already", path.display()))
                    .with_hint("edit it, or name another folder with --project")
            }
            _ => Error::io("create", &path, e),
        })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| Error::io("write", &path, e))?;
    let written = Written {
        written: path.display().to_string(),
    };
    console.answer(&written, |_| {
        format!(
            "{} is written.\nFill in the connections, then: transload check\n",
            written.written
        )
    })?;
    Ok(EXIT_OK)
}

async fn describe(
    cli: &Cli,
    request: Option<&PluginRequest>,
    role: Role,
) -> Result<Option<Description>, Error> {
    let Some(request) = request else {
        return Ok(None);
    };
    let package = packages::show(&cli.registry_root()?, request).await?;
    if package.description.role != role {
        let (is, wanted) = match role {
            Role::Source => ("writes", "--to"),
            Role::Destination => ("reads", "--from"),
        };
        return Err(
            Error::input("wrong-role", format!("the plugin {request} {is}"))
                .with_hint(format!("give it as {wanted}")),
        );
    }
    Ok(Some(package.description))
}
