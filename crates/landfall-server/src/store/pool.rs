//! Connections that are used again, and no more of them than there may be.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::StoreError;

/// How long somebody waits for a connection before being told that the database is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Some connections, each of which one at a time may use.
#[derive(Debug)]
pub(super) struct Pool<C> {
    size: u32,
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<C>>>,
}

impl<C> Pool<C> {
    /// Room for `size` connections, of which there are none yet.
    pub(super) fn of(size: u32) -> Pool<C> {
        let places = Arc::new(Semaphore::new(size as usize));
        Pool { size, places, idle: Arc::default() }
    }

    /// Waits for room, takes the connection used last, or else makes one.
    pub(super) async fn lease(
        &self,
        usable: impl Fn(&C) -> bool,
        make: impl AsyncFnOnce() -> Result<C, StoreError>,
    ) -> Result<Lease<C>, StoreError> {
        let waiting = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned());
        let place = match waiting.await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(StoreError::Busy("the store is closed".to_owned())),
            Err(_) => return Err(StoreError::Busy("every connection is in use".to_owned())),
        };
        let found = loop {
            let idle = self.idle.lock().expect("BUG: a panic in a pool").pop();
            match idle {
                Some(connection) if usable(&connection) => break Some(connection),
                Some(_) => {}
                None => break None,
            }
        };
        let connection = match found {
            Some(connection) => connection,
            None => make().await?,
        };
        Ok(Lease { connection: Some(connection), idle: Arc::clone(&self.idle), _place: place })
    }

    /// Waits until every connection is back, lets nobody have one any more, and gives all that there are.
    pub(super) async fn close(&self) -> Vec<C> {
        // An error says that it was closed before; there is nothing left then.
        let all = self.places.acquire_many(self.size).await;
        self.places.close();
        drop(all);
        std::mem::take(&mut *self.idle.lock().expect("BUG: a panic in a pool"))
    }
}

/// A connection that goes back when this is dropped.
#[derive(Debug)]
pub(super) struct Lease<C> {
    connection: Option<C>,
    idle: Arc<Mutex<Vec<C>>>,
    _place: OwnedSemaphorePermit,
}

impl<C> Deref for Lease<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("BUG: a connection given back twice")
    }
}

impl<C> DerefMut for Lease<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("BUG: a connection given back twice")
    }
}

impl<C> Drop for Lease<C> {
    fn drop(&mut self) {
        let connection = self.connection.take();
        self.idle.lock().expect("BUG: a panic in a pool").extend(connection);
    }
}
