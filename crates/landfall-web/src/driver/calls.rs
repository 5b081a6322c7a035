//! What a page asks for: writes, decisions about the outbox, and documents.

use std::rc::Rc;

use landfall_core::client::{Client, Found};
use landfall_core::code::Code;
use landfall_core::id::{Collection, DocumentId, DocumentKey, MutationId};
use landfall_core::index::Seek;
use landfall_core::intent::Intent;
use landfall_core::stored::{Legacy, Urgency};
use landfall_core::transaction::PART;

use super::{Asked, Driver};
use crate::boundary::{Error, WireAct, WireMutation, WireReceipt, WireRow, to_json};
use crate::platform::{self, Said};

impl Driver {
    pub(crate) async fn write(
        self: Rc<Driver>,
        mutations: Vec<WireMutation>,
        grouped: bool,
    ) -> Result<Vec<WireReceipt>, Error> {
        let intents = mutations.into_iter().map(|mutation| {
            let (urgency, minted) = (mutation.urgency(), mutation.is_minted());
            let intent = mutation.intent(|| DocumentId::mint(platform::now(), platform::random()))?;
            if minted {
                // Nobody else can have made this id, so there is nothing to read.
                self.client.borrow_mut().assume_new(intent.key().clone());
            }
            Ok((intent, urgency))
        });
        let intents: Vec<(Intent, Urgency)> = intents.collect::<Result<_, Error>>()?;
        self.know(intents.iter().map(|(intent, _)| intent.key().clone()).collect()).await?;
        let write = &mut |client: &mut Client, ticket| {
            Ok(client.write(ticket, &intents, grouped, platform::now())?)
        };
        let ids = self.ask(write).await?;
        let receipt = |((intent, _), mutation): ((Intent, Urgency), _)| WireReceipt {
            document: intent.key().document.clone(),
            mutation,
        };
        Ok(intents.into_iter().zip(ids).map(receipt).collect())
    }

    pub(crate) async fn attend(self: Rc<Driver>, id: &str, act: WireAct) -> Result<Vec<WireReceipt>, Error> {
        let nothing = || Error::new(Code::NotFound, "there is no such item in the outbox");
        let id: MutationId = id.parse().map_err(|_| nothing())?;
        let subjects = self.with(|client| client.subjects(id));
        let act = act.act(self.with(|client| client.subject(id)).ok_or_else(nothing)?)?;
        self.know(subjects).await?;
        let attend =
            &mut |client: &mut Client, ticket| Ok(client.attend(ticket, id, act.clone(), platform::now())?);
        let ids = self.ask(attend).await?;
        let receipt = |mutation| {
            let document = self.with(|client| client.subject(mutation))?.document;
            Some(WireReceipt { document, mutation })
        };
        Ok(ids.into_iter().filter_map(receipt).collect())
    }

    pub(crate) async fn adopt(self: Rc<Driver>, legacy: Legacy) -> Result<(), Error> {
        let adopt = &mut |client: &mut Client, ticket| {
            client.adopt(ticket, legacy.clone());
            Ok(vec![])
        };
        self.ask(adopt).await.map(drop)
    }

    pub(crate) async fn leave(self: Rc<Driver>, through: Option<f64>) -> Result<(), Error> {
        let seal = &mut |client: &mut Client, ticket| {
            client.seal(ticket, through.map(|record| record as u64))?;
            Ok(vec![])
        };
        self.ask(seal).await?;
        self.say(Said::Gone);
        self.close();
        // Nothing is left in it. If a tab that does not answer keeps it, whoever opens it next deletes it.
        let _ = self.store.delete().await;
        Ok(())
    }

    /// Reads documents that are not known here yet.
    fn know(self: &Rc<Driver>, keys: Vec<DocumentKey>) -> Asked {
        self.ask(&mut |client, ticket| {
            client.load(ticket, keys.clone());
            Ok(vec![])
        })
    }

    /// Reads documents part by part, and gives up to where that is all.
    async fn know_all(self: &Rc<Driver>, Found { documents, through }: Found) -> Result<String, Error> {
        for part in documents.chunks(PART as usize) {
            self.know(part.to_vec()).await?;
        }
        Ok(to_json(&through))
    }

    pub(crate) async fn load(
        self: Rc<Driver>,
        collection: String,
        document: Option<String>,
        seek: Option<Seek>,
    ) -> Result<String, Error> {
        if collection.is_empty() {
            let unread = self.with(|client| client.unread(None, usize::MAX));
            return self.know_all(Found { documents: unread, through: String::new() }).await;
        }
        let invalid = |code| move |_| Error::new(code, "not a name");
        let collection: Collection = collection.parse().map_err(invalid(Code::InvalidCollection))?;
        let document: Option<DocumentId> =
            document.map(|document| document.parse()).transpose().map_err(invalid(Code::InvalidDocument))?;
        let Some(document) = document else {
            let is_whole = self.with(|client| client.is_whole(&collection));
            if let Some(seek) = &seek
                && !is_whole
            {
                let mut call = 0;
                self.ask(&mut |client, ticket| {
                    call = ticket;
                    client.find(ticket, collection.clone(), seek);
                    Ok(vec![])
                })
                .await?;
                let found = self.client.borrow_mut().found(call);
                if let Some(found) = found {
                    return self.know_all(found).await;
                }
            }
            if !is_whole {
                // The rows come as events: all in one text would keep the page from answering for too long.
                self.ask(&mut |client, ticket| {
                    client.load_all(ticket, collection.clone());
                    Ok(vec![])
                })
                .await?;
            }
            if seek.is_some() {
                return Ok("null".into());
            }
            if !is_whole {
                return Ok("[]".into());
            }
            return Ok(self.with(|client| {
                let rows = client.collection(&collection).map(|(key, data)| WireRow {
                    collection: &key.collection,
                    id: &key.document,
                    data: Some(data),
                });
                to_json(&rows.collect::<Vec<_>>())
            }));
        };
        let key = DocumentKey { collection, document };
        self.know(vec![key.clone()]).await?;
        let row = |client: &Client| {
            let data = client.document(&key);
            to_json(&[WireRow { collection: &key.collection, id: &key.document, data }])
        };
        Ok(self.with(row))
    }
}
