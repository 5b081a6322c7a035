//! The end of a world: everything is mended, and what is there is put before the checker.

use std::collections::BTreeMap;
use std::time::Duration;

use landfall_core::id::{DocumentId, MutationId};
use landfall_core::json::{self, Json};
use landfall_core::wire::{PullReply, Verdict};
use landfall_tests::http::{self, Ask};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval};

use super::{TENANTS, World};
use crate::check::{self, End, Finding};
use crate::device::{Happening, Owner, Told};
use crate::figures::Figures;
use crate::history::{self, Event};

impl World<'_> {
    /// Mends everything, waits until all devices are at rest, and looks at what there is.
    pub(super) async fn conclude(self, figures: &mut Figures) -> Vec<Finding> {
        self.proxy.clear().await;
        self.room.empty();
        self.room.fail(false);
        let mut server = self.server(None, false);
        server.listens().await.expect("a server starts where nothing is in its way");
        let mut ends = BTreeMap::new();
        let until = Instant::now() + self.settings.patience;
        let mut ticks = interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            self.all(|| Happening::Nudge);
            let told = self.told().await;
            let at_rest = told.iter().all(|told| told.at_rest);
            if at_rest || Instant::now() > until {
                for (number, tenant) in TENANTS.into_iter().enumerate() {
                    let mut end = self.end(tenant, &self.owners[number]).await;
                    let devices = self.owners.iter().zip(&told).filter(|(owner, _)| owner.tenant == tenant);
                    end.devices = devices.map(|(owner, told)| (owner.device, told.clone())).collect();
                    ends.insert(tenant, end);
                }
                let same = |end: &End| end.devices.values().all(|told| told.view == end.documents);
                if ends.values().all(same) || Instant::now() > until {
                    break;
                }
            }
        }
        drop(self.devices);
        assert!(server.end().await.success(), "a server ends when it is asked to");
        self.history.flush();
        let events = history::read(&self.room.beside().join("history.jsonl"));
        figures.count(&events);
        let mut findings = Vec::new();
        for (tenant, end) in &ends {
            let is_theirs = |event: &&Event| {
                let (Event::Saved { device, .. }
                | Event::Answered { device, .. }
                | Event::Settled { device, .. }) = event;
                self.owners[*device].tenant == *tenant
            };
            let theirs: Vec<Event> = events.iter().filter(is_theirs).cloned().collect();
            findings.extend(check::check(&theirs, end));
        }
        if !findings.is_empty() && self.settings.planted.is_none() {
            eprintln!("what was left is in {}", self.room.keep().display());
        }
        findings
    }

    async fn told(&self) -> Vec<Told> {
        let mut all = Vec::new();
        for device in &self.devices {
            let (tell, told) = oneshot::channel();
            device.send(Happening::Tell(tell)).expect("BUG: a device that has panicked");
            all.push(told.await.expect("BUG: a device that has panicked"));
        }
        all
    }

    /// What a tenant has, to somebody who comes with nothing and to somebody who looks at the tables.
    async fn end(&self, tenant: &str, owner: &Owner) -> End {
        let mut end = End { documents: self.documents(owner).await, ..End::default() };
        let of = |what: &str, table: &str| format!("SELECT {what} FROM {table} WHERE tenant = '{tenant}'");
        for row in self.database.read(&of("mutation", "history")).await {
            let mutation: Value = serde_json::from_str(text(&row[0])).expect("a mutation");
            end.history.push(text(&mutation["id"]).parse().expect("the name of a mutation"));
        }
        let id = |writer: &Value, n: &Value| -> MutationId {
            format!("{}:{}", text(writer), number(n)).parse().expect("the name of a mutation")
        };
        for row in self.database.read(&of("writer, n, at", "receipts")).await {
            end.receipts.insert(id(&row[0], &row[1]));
            end.overdue += i64::from(number(&row[2]) == 1);
        }
        for row in self.database.read(&of("writer, first, last", "settled")).await {
            end.runs.push((id(&row[0], &row[1]), number(&row[2]).cast_unsigned()));
        }
        let counter = self.database.read(&of("position", "tenants")).await;
        let commits = self.database.read(&of("COUNT(*)", "commits")).await;
        end.commits = (number(&commits[0][0]), counter.first().map_or(0, |row| number(&row[0])));
        end
    }

    async fn documents(&self, owner: &Owner) -> BTreeMap<DocumentId, String> {
        let (mut documents, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let path = format!("/api/v1/sync/pull?cursor={cursor}");
            let answer = http::ask(&self.address, Ask::get(&path, &owner.token)).await.expect("an answer");
            let page: PullReply = json::read(str::from_utf8(&answer.body).expect("text")).expect("a page");
            for change in page.read().expect("changes") {
                let data = change.data.as_ref().map(Json::canonical);
                match data {
                    Some(data) => documents.insert(change.document, data.text().to_owned()),
                    None => documents.remove(&change.document),
                };
            }
            if !page.more {
                return documents;
            }
            cursor = page.cursor;
        }
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

impl Figures {
    fn count(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Saved { writes, .. } => self.writes += writes.len(),
                Event::Answered { verdict: Verdict::Held, .. } => {}
                Event::Answered { duplicate, .. } => self.duplicates += usize::from(*duplicate),
                Event::Settled { code, .. } => self.refused += usize::from(code.is_some()),
            }
        }
    }
}
