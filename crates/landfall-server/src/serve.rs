//! `landfall serve`: from options to a listening socket, and to a clean end.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use landfall_server::accept::accept;
use landfall_server::app::system_time;
use landfall_server::retention::Retention;
use landfall_server::store::{StoreError, shown};
use landfall_server::{App, Store, metrics, router, www};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::cli::{LogForm, ServeOptions};

/// How long requests may still run once the server was asked to end.
const GRACE: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(options: ServeOptions) -> Result<(), Box<dyn Error>> {
    log_to_stderr(options.log)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(options))
}

async fn serve(options: ServeOptions) -> Result<(), Box<dyn Error>> {
    let config = options.config.load()?;
    let listen: Vec<SocketAddr> = tokio::net::lookup_host(&options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?
        .collect();
    if config.key.is_none()
        && config.jwks.is_none()
        && !listen.iter().all(|address| address.ip().is_loopback())
    {
        let text = format!(
            "will not listen on {} with the built-in development key, which everybody knows; \
             set LANDFALL_JWT_KEY, or `auth.key` in the configuration, to a secret of at least 32 bytes, \
             or `auth.jwks` to where the keys of whoever issues tokens are",
            options.listen
        );
        return Err(text.into());
    }
    if let Some(directory) = &options.www {
        check_files(directory)?;
    }
    let store = Store::open(&options.database).await?;
    tokio::spawn(forget(store.clone(), config.retention.clone()));
    let app = App::new(config, store.clone())?;
    tokio::spawn(count(app.clone()));
    if let Some(issuer) = app.tokens.issuer().cloned() {
        tokio::spawn(async move { issuer.keep_up().await });
    }
    let api = router(app.clone());
    let routes = match &options.www {
        Some(directory) => www::with_files(api, directory),
        None => api,
    };
    // Listened for before anybody is told that the server is there, so that no signal goes unheard.
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = TcpListener::bind(&listen[..])
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    let measured = match &options.metrics {
        Some(listen) => {
            let listener = TcpListener::bind(listen)
                .await
                .map_err(|error| format!("cannot listen on {listen} for `--metrics`: {error}"))?;
            let address = listener.local_addr()?;
            // It ends with the process: whoever collects sees that there is no answer.
            tokio::spawn(axum::serve(listener, metrics::router(Arc::clone(&app.metrics))).into_future());
            Some(address)
        }
        None => None,
    };
    writeln!(std::io::stdout().lock(), "listening on http://{address}")?;
    if let Some(address) = measured {
        writeln!(std::io::stdout().lock(), "metrics on http://{address}/metrics")?;
    }
    tracing::info!(%address, database = shown(&options.database), "serving");
    let told = app.clone();
    let ended = async move {
        ended(terminate, interrupt).await;
        // Streams have no end of their own to wait for.
        told.end();
    };
    serve_until(listener, routes, app.limits.head_timeout(), ended).await;
    // Sockets are no requests any more.
    if tokio::time::timeout(GRACE, app.ended()).await.is_err() {
        tracing::warn!("some sockets were not closed");
    }
    store.close().await;
    tracing::info!("ended");
    Ok(())
}

/// Deletes what has become too old to be asked for, now and every day.
async fn forget(store: Store, retention: Retention) {
    let mut days = tokio::time::interval(DAY);
    loop {
        days.tick().await;
        if let Err(error) = store.forget_verdicts(system_time()).await {
            tracing::warn!(%error, "old verdicts stay for another day");
        }
        match forget_history(&store, &retention).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "changes that were too old are forgotten"),
            Err(error) => tracing::warn!(%error, "old history stays for another day"),
        }
    }
}

/// Counts the devices, now and every minute.
async fn count(app: App) {
    let mut minutes = tokio::time::interval(MINUTE);
    loop {
        minutes.tick().await;
        if let Err(error) = app.count_devices().await {
            tracing::debug!(%error, "the devices are not counted");
        }
    }
}

/// Goes through the history once; what is written meanwhile comes in between.
async fn forget_history(store: &Store, retention: &Retention) -> Result<usize, StoreError> {
    let mut walk = store.walk(retention, system_time()).await?;
    let mut gone = 0;
    while let Some(more) = store.forget_some(&mut walk).await? {
        gone += more;
    }
    Ok(gone)
}

/// Serves until `ended`, and as long after that as running requests may take.
async fn serve_until(
    listener: TcpListener,
    routes: Router,
    patience: Duration,
    ended: impl Future<Output = ()>,
) {
    let (told, mut ending) = tokio::sync::watch::channel(());
    let ended = async move {
        ended.await;
        tracing::info!("ending: running requests finish first");
        drop(told);
    };
    let overdue = async {
        while ending.changed().await.is_ok() {}
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = accept(listener, routes, patience, ended) => {}
        () = overdue => tracing::warn!("some requests did not finish; their clients will send them again"),
    }
}

async fn ended(mut terminate: tokio::signal::unix::Signal, mut interrupt: tokio::signal::unix::Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn check_files(directory: &Path) -> Result<(), String> {
    let index = directory.join("index.html");
    if index.is_file() { Ok(()) } else { Err(format!("{} is not there to be served", index.display())) }
}

/// Logs what `LANDFALL_LOG` asks for, such as `debug` or `info,landfall_server=debug`.
fn log_to_stderr(form: LogForm) -> Result<(), Box<dyn Error>> {
    let wanted = std::env::var("LANDFALL_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter: Targets = wanted.parse().map_err(|error| format!("LANDFALL_LOG={wanted}: {error}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    match form {
        LogForm::Text => registry.with(lines).init(),
        LogForm::Json => registry.with(lines.json().flatten_event(true).with_span_list(false)).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // A text that was put together may hold what somebody wrote.
        let text = panic.payload().downcast_ref::<&str>().copied().unwrap_or("see there");
        tracing::error!(place, text, "a bug");
    }));
    Ok(())
}
