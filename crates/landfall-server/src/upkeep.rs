//! What is done to a database beside serving it: `check`, `erase`, `backup`, `backed-up`, `restore`, `restored`.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use landfall_core::id::{DocumentKey, User};
use landfall_core::time::WallTime;
use landfall_server::Store;
use landfall_server::app::system_time;
use landfall_server::caller::Tenant;
use landfall_server::store::{Erasure, shown};

use super::cli::DATABASE;

/// Which database.
#[derive(Args)]
struct Place {
    /// Where the data is.
    #[arg(long, value_name = "URL", default_value = DATABASE)]
    database: String,
}

#[derive(Args)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct BackupOptions {
    /// Where the copy is to be; nothing may be there.
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct BackedUpOptions {
    #[command(flatten)]
    place: Place,
    /// When the backup was begun: seconds since 1970, as `date +%s` says before.
    #[arg(long, value_name = "SECONDS")]
    begun: u64,
}

#[derive(Args)]
pub(crate) struct RestoreOptions {
    /// The backup.
    file: PathBuf,
    /// Where the data is to be; nothing may be there.
    #[arg(long, value_name = "URL", default_value = DATABASE)]
    database: String,
}

#[derive(Args)]
pub(crate) struct RestoredOptions {
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct EraseOptions {
    #[command(flatten)]
    place: Place,
    /// The organisation.
    #[arg(long, default_value_t)]
    tenant: Tenant,
    /// Who is to be nameless: the `sub` of their tokens. What they wrote stays.
    #[arg(long, value_name = "SUB", required_unless_present = "documents")]
    user: Option<User>,
    /// Documents to be erased entirely.
    #[arg(long, value_name = "COLLECTION/ID", num_args = 1..)]
    documents: Vec<String>,
    /// Who the audit log names for it.
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: User,
}

/// Said to whoever has put a backup back.
const NEW_EPOCH: &str = "a new epoch begins: devices put back what they have and the backup has not";

impl Place {
    /// Does something with a database that is there.
    fn with<T>(
        &self,
        work: impl AsyncFnOnce(&Store) -> Result<T, Box<dyn Error>>,
    ) -> Result<T, Box<dyn Error>> {
        run(async {
            let store = Store::open_existing(&self.database).await?;
            let outcome = work(&store).await;
            store.close().await;
            outcome
        })
    }
}

fn run<T>(work: impl Future<Output = Result<T, Box<dyn Error>>>) -> Result<T, Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

impl CheckOptions {
    /// Prints what is wrong, a sentence a line; fails where there is anything.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let report = self.place.with(async |store| Ok(store.check(system_time()).await?))?;
        for finding in &report.findings {
            println!("{finding}");
        }
        println!(
            "looked at {} documents, {} mutations, {} receipts",
            report.documents, report.mutations, report.receipts
        );
        match report.findings.len() {
            0 => Ok(()),
            found => {
                let url = shown(&self.place.database);
                Err(format!(
                    "{url} does not hold together ({found} lines above): keep a copy of it as it is, and put a backup back"
                )
                .into())
            }
        }
    }
}

impl EraseOptions {
    /// Erases all of it, or says what there is not, and erases nothing.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let mut erasure = Erasure { user: self.user.clone(), ..Erasure::default() };
        for name in &self.documents {
            let key = || {
                let (collection, document) = name.split_once('/')?;
                Some(DocumentKey { collection: collection.parse().ok()?, document: document.parse().ok()? })
            };
            let key =
                key().ok_or_else(|| format!("`{name}` names no document; it looks like COLLECTION/ID"))?;
            erasure.documents.insert(key);
        }
        let (tenant, by) = (&self.tenant, &self.by);
        let erase = async |store: &Store| Ok(store.erase(tenant, by, &erasure, system_time()).await?);
        let erased = self.place.with(erase)?;
        if !erased.unknown.is_empty() {
            return Err(format!("{}; nothing was erased", erased.unknown.join("; ")).into());
        }
        if let Some(pseudonym) = erased.pseudonym {
            println!("what they wrote is {pseudonym}'s");
        }
        println!("erased {} documents", erased.documents);
        println!("backups still have all of it");
        Ok(())
    }
}

impl BackupOptions {
    /// Says when it was begun, for `backed-up`.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let begun = system_time().0 / 1_000;
        self.place.with(async |store| Ok(store.back_up(&self.file).await?))?;
        println!("backed up to {}", self.file.display());
        println!("once that is where nothing can happen to it: landfall backed-up --begun {begun}");
        Ok(())
    }
}

impl BackedUpOptions {
    /// Notes it, and says how many tenants have something in the backup that was in none before.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let begun = WallTime(self.begun.saturating_mul(1_000));
        if begun > system_time() {
            return Err(format!("a backup that begins at {} is not made yet", self.begun).into());
        }
        let news = self.place.with(async |store| Ok(store.backed_up(begun).await?))?;
        println!("news for {news} tenants");
        Ok(())
    }
}

impl RestoreOptions {
    /// Puts it there, or says why not.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        run(async { Ok::<(), Box<dyn Error>>(Store::restore(&self.file, &self.database).await?) })?;
        println!("restored {}; {NEW_EPOCH}", shown(&self.database));
        Ok(())
    }
}

impl RestoredOptions {
    /// Begins a new epoch.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        self.place.with(async |store| Ok(store.restored().await?))?;
        println!("{NEW_EPOCH}");
        Ok(())
    }
}
