//! The command line of the shop: reads settings, binds, serves until it is told to stop.

mod allocator;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, io};

use clap::Parser;
use sample_service::{ALLOCATOR, Flags, Settings, Shop, router};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A small shop over HTTP, to soak. Sizes and rates are set by SHOP_… variables; see the README
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Listen on this port; 0 takes a free one, which the log names
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// Listen on this address
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,

    /// Serve with this many threads
    #[arg(long, value_name = "N", default_value = "2")]
    workers: NonZeroUsize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log();
    let outcome = Settings::from_environment(env::vars_os()).map_err(io::Error::other).and_then(|settings| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(arguments.workers.get())
            .enable_all()
            .build()?
            .block_on(serve(&arguments, &settings))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `RUST_LOG` in the form `info,tower_http=debug`; without it, `info`.
fn start_log() {
    let wanted = env::var("RUST_LOG").ok().and_then(|filter| filter.parse::<Targets>().ok());
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_ansi(false))
        .with(wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO)))
        .init();
}

async fn serve(arguments: &Arguments, settings: &Settings) -> io::Result<()> {
    // Before anything else: a stop while the shop still opens is heeded too.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let flags = Flags::compiled();
    let shop = Shop::open(settings, flags);
    shop.start_background_work();
    let listener = TcpListener::bind((arguments.host, arguments.port)).await?;
    tracing::info!(allocator = ALLOCATOR, flags = ?flags.names(), "shop is open");
    tracing::info!("listening on http://{}", listener.local_addr()?);

    axum::serve(listener, router(Arc::clone(&shop)))
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping: requests under way are finished");
        })
        .await
}
