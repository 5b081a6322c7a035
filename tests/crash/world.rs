//! One world: a database, devices of two tenants before it, and servers that live one after the other.

mod end;

use std::path::PathBuf;
use std::time::Duration;

use landfall_tests::chance::Chance;
use landfall_tests::process::{self, Proxy, Server};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout, timeout_at};

use crate::check::Finding;
use crate::database::Database;
use crate::device::{Device, Happening, Owner};
use crate::figures::Figures;
use crate::history::History;
use crate::room::Room;
use crate::trouble::Trouble;

const RULES: &str = include_str!("crash.yaml");
const TENANTS: [&str; 2] = ["north", "south"];
const DEVICES: usize = 6;
/// From one thing that happens to the next.
const TICK: Duration = Duration::from_millis(4);
/// A server that has not come to the point by then is killed.
const LIFE_MAX: Duration = Duration::from_millis(1_500);

/// What programs there are, and what is wrong with the server.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The server that can be told to die.
    pub(crate) server: PathBuf,
    pub(crate) proxy: PathBuf,
    /// The bug that is in it.
    pub(crate) planted: Option<&'static str>,
    /// After this, whatever has not come to an end is stuck.
    pub(crate) patience: Duration,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// One of them.
pub(crate) struct World<'a> {
    settings: &'a Settings,
    database: Database,
    room: Room,
    is_file: bool,
    /// Where every one of its servers listens.
    address: String,
    proxy: Proxy,
    owners: Vec<Owner>,
    devices: Vec<mpsc::UnboundedSender<Happening>>,
    history: History,
    chance: Chance,
}

/// Lives through `kills` deaths of servers, has everything mended, and looks what has become of it. Gives what is wrong.
pub(crate) async fn live(
    settings: &Settings,
    kind: Kind,
    seed: u64,
    kills: usize,
    figures: &mut Figures,
) -> Vec<Finding> {
    let mut world = World::new(settings, kind, seed).await;
    world.begin(kills.min(3), figures).await;
    for _ in kills.min(3)..kills {
        let trouble = Trouble::draw(&mut world.chance, world.is_file);
        world.suffer(trouble, figures).await;
    }
    world.conclude(figures).await
}

impl<'a> World<'a> {
    async fn new(settings: &'a Settings, kind: Kind, seed: u64) -> World<'a> {
        let room = Room::new();
        let database = match kind {
            Kind::Sqlite => {
                Database::File(tempfile::tempdir_in(room.disk()).expect("a directory can be made"))
            }
            Kind::Postgres => Database::postgres().await,
        };
        std::fs::write(room.beside().join("crash.yaml"), RULES).expect("a file can be written");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = free.local_addr().expect("it has an address").to_string();
        drop(free);
        let proxy = Proxy::before(&settings.proxy, &address).await;
        let history = History::create(&room.beside().join("history.jsonl"));
        let mut owners = Vec::new();
        for device in 0..DEVICES {
            let (tenant, user) = (TENANTS[device % TENANTS.len()], format!("user-{device}"));
            let token = process::token(&settings.server, tenant, &user, &[]).await;
            owners.push(Owner {
                device,
                tenant: tenant.to_owned(),
                user,
                token,
                server: proxy.address.clone(),
            });
        }
        let devices =
            owners.iter().map(|owner| Device::start(owner.clone(), seed, history.clone())).collect();
        World {
            settings,
            database,
            room,
            is_file: kind == Kind::Sqlite,
            address,
            proxy,
            owners,
            devices,
            history,
            chance: Chance::new(seed, 1),
        }
    }

    /// A server that dies as it is told to, if it is.
    fn server(&self, fault: Option<&str>, is_full: bool) -> Server {
        let mut command = self.room.command(&self.settings.server, is_full);
        command.args(["serve", "--listen", &self.address, "--database", &self.database.url(), "--config"]);
        command.arg(self.room.beside().join("crash.yaml")).env("LANDFALL_LOG", "warn");
        command.stderr(process::log(&self.room.beside().join("server.log")));
        command.env_remove("LANDFALL_FAULT").env_remove("LANDFALL_PLANTED");
        command.envs(fault.map(|fault| ("LANDFALL_FAULT", fault)));
        command.envs(self.settings.planted.map(|bug| ("LANDFALL_PLANTED", bug)));
        Server::spawn(&mut command)
    }

    /// Some servers that die while they make the tables, and one that does not.
    async fn begin(&mut self, deaths: usize, figures: &mut Figures) {
        for _ in 0..deaths {
            let fault = format!("in_migration:{}", 1 + self.chance.below(7));
            let mut server = self.server(Some(&fault), false);
            let died = server.listens().await.is_err();
            server.kill().await;
            figures.died("in_migration", died);
        }
        let mut server = self.server(None, false);
        server.listens().await.expect("what others have begun is no hindrance");
        assert!(server.end().await.success(), "a server ends when it is asked to");
    }

    /// Makes the tables those of the version before.
    async fn take_back(&self) {
        let version = if self.is_file {
            self.database.read("PRAGMA user_version").await[0][0].to_string()
        } else {
            end::text(&self.database.read("SELECT value FROM meta WHERE name = 'tables'").await[0][0])
                .to_owned()
        };
        let (earlier, undo) = match version.as_str() {
            // As the last one who was to bring them up to date has died.
            "6" => return,
            "7" => (
                6,
                "ALTER TABLE clients DROP COLUMN said; ALTER TABLE clients DROP COLUMN oldest; \
                 DROP INDEX clients_in_order",
            ),
            other => panic!("say here what tables of version {other} have that those before have not"),
        };
        self.database.change(undo).await;
        self.database.mark(earlier).await;
    }

    /// One life of a server.
    async fn suffer(&mut self, trouble: Trouble, figures: &mut Figures) {
        if trouble.migrates() {
            self.take_back().await;
        }
        if trouble.prunes() {
            self.age().await;
        }
        self.disturb().await;
        let fault = trouble.fault(&mut self.chance);
        let mut server = self.server(fault.as_deref(), trouble == Trouble::Full);
        if trouble == Trouble::Starting {
            let wait = Duration::from_micros(self.chance.below(40_000));
            // However far it has come.
            _ = timeout(wait, server.listens()).await;
            server.kill().await;
            return figures.died(trouble.name(), true);
        }
        if server.listens().await.is_err() {
            // It may not even start on a disk that is full; without a reason it must.
            let has_reason = fault.is_some() || trouble == Trouble::Full;
            assert!(has_reason, "a server does not start; see {}", self.room.beside().display());
            return figures.died(trouble.name(), true);
        }
        self.all(|| Happening::Nudge);
        let died = self.work(trouble, &mut server).await;
        server.kill().await;
        self.room.empty();
        self.room.fail(false);
        figures.died(trouble.name(), died || fault.is_none());
    }

    /// Has users write until the server dies or its time is up. Whether it has died by itself.
    async fn work(&mut self, trouble: Trouble, server: &mut Server) -> bool {
        let time = match trouble {
            Trouble::AnyMoment => Duration::from_micros(self.chance.below(150_000)),
            Trouble::Terminated | Trouble::Full | Trouble::Failing => {
                Duration::from_millis(100 + self.chance.below(200))
            }
            Trouble::Point(_) | Trouble::Starting => LIFE_MAX,
        };
        let until = Instant::now() + time;
        let relents = self.chance.one_in(2);
        let mut ticks = interval(TICK);
        let happen = async {
            for tick in 1u32.. {
                ticks.tick().await;
                self.happen();
                let is_late = relents && TICK * tick > time / 2;
                match trouble {
                    Trouble::Terminated if tick % 8 == 0 => self.terminate().await,
                    Trouble::Full if is_late => self.room.empty(),
                    Trouble::Failing if is_late => self.room.fail(false),
                    Trouble::Full if tick == 5 => self.room.fill(),
                    Trouble::Failing if tick == 5 => self.room.fail(true),
                    Trouble::AnyMoment
                    | Trouble::Starting
                    | Trouble::Point(_)
                    | Trouble::Terminated
                    | Trouble::Full
                    | Trouble::Failing => {}
                }
            }
        };
        let ends = async {
            tokio::select! {
                _ = server.ended() => true,
                () = happen => false,
            }
        };
        timeout_at(until, ends).await.unwrap_or(false)
    }

    /// Something happens on some device.
    fn happen(&mut self) {
        let device = self.chance.below(DEVICES as u64) as usize;
        let happening = match self.chance.below(100) {
            0 => Happening::Reopen,
            1..20 => Happening::Nudge,
            _ => Happening::Write,
        };
        self.devices[device].send(happening).expect("BUG: a device that has panicked");
    }

    fn all(&self, happening: impl Fn() -> Happening) {
        for device in &self.devices {
            device.send(happening()).expect("BUG: a device that has panicked");
        }
    }

    /// What the network does during one life.
    async fn disturb(&mut self) {
        self.proxy.clear().await;
        for _ in 0..self.chance.below(3) {
            let times = 1 + self.chance.below(4);
            let millis = 5 + self.chance.below(30);
            let (path, fault) = match self.chance.below(6) {
                0 | 1 => ("/api/v1/sync/batch", r#"{"kind":"cut_reply"}"#.to_owned()),
                2 => {
                    ("/api/v1/sync/batch", format!(r#"{{"kind":"delay","at":"request","millis":{millis}}}"#))
                }
                3 => ("/api/v1/sync/batch", format!(r#"{{"kind":"delay","at":"reply","millis":{millis}}}"#)),
                4 => ("/api/v1/sync", r#"{"kind":"refuse"}"#.to_owned()),
                _ => ("/api/v1/sync/pull", r#"{"kind":"portal"}"#.to_owned()),
            };
            self.proxy.rule(format!(r#"{{"path":"{path}","times":{times},"fault":{fault}}}"#)).await;
        }
    }

    /// Ends the server's connections to PostgreSQL.
    async fn terminate(&self) {
        let others = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS TEXT) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'landfall'";
        self.database.read(others).await;
    }

    /// Puts verdicts into the database that are too old.
    async fn age(&self) {
        let row = |n: u32| format!("('{}', '{:032x}', {n}, '', '', 1)", TENANTS[0], u128::MAX);
        let rows: Vec<String> = (1..=40).map(row).collect();
        let old = format!(
            "INSERT INTO receipts (tenant, writer, n, hash, result, at) VALUES {} ON CONFLICT DO NOTHING",
            rows.join(", ")
        );
        self.database.change(&old).await;
    }
}
