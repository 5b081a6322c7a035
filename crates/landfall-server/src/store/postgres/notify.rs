//! Word between servers, by NOTIFY: a hint that arrives in milliseconds instead of with the next look.
//!
//! It is said outside of any push, on a connection of its own, and what comes up while the last word is on its way is
//! one word. Where it cannot be passed on, as behind a pooler, the looks remain.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use landfall_core::id::Position;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Socket, tls::NoTlsStream};

use super::fault::text;
use crate::caller::Tenant;
use crate::store::commits::Commits;

/// Tries are no closer than this.
const AGAIN: Duration = Duration::from_secs(5);
/// Words are no closer than this: what comes in between is in the next one.
const PAUSE: Duration = Duration::from_millis(20);
/// Whoever hears everything on this channel is told "POSITION TENANT". A word is a commit too, and the only one here
/// that need not outlive anything: no push shall wait for the disk behind it.
const LISTEN: &str = "SET synchronous_commit = off; LISTEN landfall";
const NOTIFY: &str = "SELECT pg_notify('landfall', said) FROM unnest($1::text[]) AS said";

/// A connection that hears what others say.
pub(super) type Listening = (Client, Connection<Socket, NoTlsStream>);

/// Starts to listen. What is said from then on is heard.
pub(super) async fn listen(config: &Config) -> Option<Listening> {
    let connected = async {
        let (client, mut connection) = config.connect(NoTls).await?;
        {
            let mut listening = pin!(client.batch_execute(LISTEN));
            poll_fn(|context| {
                // What comes before anybody listens is nothing.
                while let std::task::Poll::Ready(Some(Ok(_))) = connection.poll_message(context) {}
                listening.as_mut().poll(context)
            })
            .await?;
        }
        Ok((client, connection))
    };
    let connected: Result<Listening, tokio_postgres::Error> =
        tokio::time::timeout(AGAIN, connected).await.ok()?;
    connected.inspect_err(|error| tracing::info!(error = text(error), "other servers are not heard")).ok()
}

/// Passes the word on, for ever.
pub(super) async fn pass_on(mut listening: Option<Listening>, config: Config, commits: Commits) {
    loop {
        if let Some((client, connection)) = listening.take() {
            tokio::select! {
                () = hear(connection, &commits) => {}
                () = say(&client, &commits) => {}
            }
        }
        tokio::time::sleep(AGAIN).await;
        listening = listen(&config).await;
    }
}

/// Takes in what others say, until the connection is lost.
async fn hear(mut connection: Connection<Socket, NoTlsStream>, commits: &Commits) {
    let mut messages = stream::poll_fn(|context| connection.poll_message(context));
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notification(said)) => {
                if let Some((tenant, position)) = read(said.payload()) {
                    commits.hear(&tenant, position);
                }
            }
            Ok(_) => {}
            Err(error) => return tracing::info!(error = text(&error), "other servers are not heard"),
        }
    }
}

/// Says what is committed here, until the connection is lost.
async fn say(client: &Client, commits: &Commits) {
    loop {
        let said = write(&commits.untold_ones().await);
        if let Err(error) = client.execute(NOTIFY, &[&said]).await {
            return tracing::info!(error = text(&error), "other servers are not told");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn write(newest: &BTreeMap<Tenant, Position>) -> Vec<String> {
    newest.iter().map(|(tenant, position)| format!("{} {tenant}", position.0)).collect()
}

fn read(said: &str) -> Option<(Tenant, Position)> {
    let (position, tenant) = said.split_once(' ')?;
    Some((tenant.parse().ok()?, Position(position.parse().ok()?)))
}
