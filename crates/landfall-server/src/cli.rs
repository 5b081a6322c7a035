//! The command line.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use landfall_core::id::User;
use landfall_core::time::Millis;
use landfall_server::Config;
use landfall_server::app::system_time;
use landfall_server::caller::{Caller, Tenant};
use landfall_server::token::Tokens;

use super::upkeep::{
    BackedUpOptions, BackupOptions, CheckOptions, EraseOptions, RestoreOptions, RestoredOptions,
};

const KEY_VARIABLE: &str = "LANDFALL_JWT_KEY";
pub(crate) const DATABASE: &str = "sqlite://./landfall.db";

/// Offline-first sync: the server.
#[derive(Parser)]
#[command(name = "landfall", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serves the sync API until it is asked to end.
    Serve(ServeOptions),
    /// Prints a token for a user.
    Token(TokenOptions),
    /// Looks through a database for what does not hold together, and changes nothing. Servers may go on working with it.
    Check(CheckOptions),
    /// Copies a database that is a file, while servers work with it.
    Backup(BackupOptions),
    /// Says that a backup was made: devices then keep no longer what is in it.
    BackedUp(BackedUpOptions),
    /// Puts a backup of a file where there is no database.
    Restore(RestoreOptions),
    /// Erases a person's name, or documents entirely, while servers work with the database. It cannot be undone.
    Erase(EraseOptions),
    /// Says that a database was put back from a backup in another way: devices then put back what is not in it.
    Restored(RestoredOptions),
}

/// Where the server is told what it may do.
#[derive(Args)]
pub(crate) struct ConfigOptions {
    /// The configuration; without one, the demo's.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ServeOptions {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8787")]
    pub(crate) listen: String,
    /// Where the data is.
    #[arg(long, value_name = "URL", default_value = DATABASE)]
    pub(crate) database: String,
    /// Where to answer `GET /metrics`, for Prometheus: for whoever can reach it, so nothing for the world to see.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,
    /// The form of the log, which goes to standard error.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = LogForm::Text)]
    pub(crate) log: LogForm,
    /// Files to serve beside the API: the app.
    #[arg(long, value_name = "DIR")]
    pub(crate) www: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigOptions,
}

/// How a line of the log is written.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LogForm {
    /// For people.
    Text,
    /// For programs: an object a line.
    Json,
}

#[derive(Args)]
pub(crate) struct TokenOptions {
    /// Whom it speaks for.
    #[arg(long)]
    user: User,
    /// The organisation.
    #[arg(long, default_value_t)]
    tenant: Tenant,
    /// May be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// How long it is valid.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    ttl: u64,
    #[command(flatten)]
    config: ConfigOptions,
}

impl ConfigOptions {
    /// The configuration as given; a key in the environment counts more than one in the file.
    pub(crate) fn load(self) -> Result<Config, Box<dyn Error>> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::demo(),
        };
        // No option: what is on the command line, every user of the machine can read.
        let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty());
        config.key = key.or(config.key);
        Ok(config)
    }
}

impl TokenOptions {
    /// Prints the token and nothing else.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let config = self.config.load()?;
        let tokens = Tokens::new(config.key.as_deref(), config.jwks, config.expected)?;
        let caller = Caller { user: self.user, tenant: self.tenant, roles: self.roles };
        let ttl = Millis(self.ttl.saturating_mul(1_000));
        let (token, _) = tokens.issue(&caller, ttl, system_time())?;
        println!("{token}");
        Ok(())
    }
}
