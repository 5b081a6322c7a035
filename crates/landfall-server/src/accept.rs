//! Connections: how one is listened to before it has asked for anything, and how all of them end.

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::serve::{Listener, ListenerExt};
use axum::{BoxError, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

/// Serves whoever comes until `ended`, and waits for the requests that are running then.
///
/// A head that does not arrive within `patience` ends its connection, and so does as long a silence between two requests.
pub async fn accept(
    listener: TcpListener,
    routes: Router,
    patience: Duration,
    ended: impl Future<Output = ()>,
) {
    let mut server = Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    // Small answers go out at once; waiting for more to send would only cost a round trip.
    let mut listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
    });
    // With its state, so that every connection has the same routes and none a copy.
    let routes = routes.with_state::<()>(());
    let ending = watch::Sender::new(());
    let mut ended = pin!(ended);
    loop {
        let (connection, _) = tokio::select! {
            connection = listener.accept() => connection,
            () = &mut ended => break,
        };
        let routes = routes.clone().map_request(|request: Request<Incoming>| request.map(Body::new));
        let serving = server.serve_connection(TokioIo::new(connection), TowerToHyperService::new(routes));
        tokio::spawn(serve(serving.with_upgrades(), ending.subscribe()));
    }
    // Whoever comes now is refused and may find another server.
    drop(listener);
    ending.send_replace(());
    ending.closed().await;
}

/// Answers on one connection until nobody asks any more, or no longer than for the request that is running at the end.
async fn serve<S>(serving: UpgradeableConnection<TokioIo<TcpStream>, S>, mut ending: watch::Receiver<()>)
where
    S: HttpService<Incoming, ResBody = Body, Error: Into<BoxError>, Future: Send + 'static> + Send,
{
    let mut serving = pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        _ = ending.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection broke");
    }
}
