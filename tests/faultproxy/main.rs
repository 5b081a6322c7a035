//! Stands between a browser and the server and breaks what passes, as a test tells it to.
//!
//! A browser's own switches for network trouble act inside the browser: they cannot let the server
//! commit and then lose the reply, which is the case that a sync protocol is made for. This program
//! can, because it is a server to the one and a client to the other. Every connection carries one
//! request: on a connection that was used before, browsers send a request again by themselves when
//! the reply is cut, and a test could not say how often the server was asked.
//!
//! `faultproxy --upstream http://HOST:PORT [--listen ADDR] [--control ADDR]`; the control is a server
//! of its own, so that no page can reach it and no rule can cut it off. See [`control`].

mod control;
mod fault;
mod log;
mod message;
mod options;
mod relay;
mod rules;
mod streaming;

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use relay::Relay;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = options::parse(std::env::args().skip(1))?;
    let control = TcpListener::bind(&options.control).await?;
    let listener = TcpListener::bind(&options.listen).await?;
    println!("control on http://{}", control.local_addr()?);
    println!("listening on http://{}", listener.local_addr()?);

    let relay = Arc::new(Relay::new(options.upstream));
    tokio::spawn(serve_control(control, Arc::clone(&relay)));
    loop {
        let (stream, _) = listener.accept().await?;
        let relay = Arc::clone(&relay);
        let service = service_fn(move |request| {
            let relay = Arc::clone(&relay);
            async move { relay.exchange(request).await.map_err(|failure| failure.to_string()) }
        });
        let connection =
            http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
        // An exchange that ends in an error ends the connection without a reply: that is how replies are cut.
        tokio::spawn(async { connection.await.ok() });
    }
}

async fn serve_control(listener: TcpListener, relay: Arc<Relay>) {
    while let Ok((stream, _)) = listener.accept().await {
        let relay = Arc::clone(&relay);
        let service = service_fn(move |request| {
            let relay = Arc::clone(&relay);
            async move { Ok::<_, Infallible>(control::handle(&relay, request).await) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async { connection.await.ok() });
    }
}
