//! What do ten thousand requests of one job cost that wait for their answers? A server on loopback takes as many as come, and
//! answers none until no more come.
//!
//! `cargo bench --bench http`. At most 200 MiB for the whole daemon is the aim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/daemon.rs"]
mod daemon;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daemon::Place;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

const REQUESTS: usize = 10_000;
/// So long nobody comes: that were all.
const SILENCE: Duration = Duration::from_secs(1);

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let waiting = Arc::new(AtomicUsize::new(0));
    let (release, released) = watch::channel(false);
    let address = serve(&runtime, waiting.clone(), released);
    let place = Place::new(&format!(
        "[jobs.many]\nschedule = '@start'\n[jobs.many.http]\nurl = 'http://{address}/'\nrepeat = {REQUESTS}\n\
         max_parallel = {REQUESTS}\nrequest_timeout = '5m'\n"
    ));
    let daemon = place.start();
    let mut most = 0;
    loop {
        std::thread::sleep(SILENCE);
        match waiting.load(Ordering::SeqCst) {
            now if now > most || now == 0 => most = now,
            _ => break,
        }
    }
    let memory = daemon.peak_memory();
    release.send(true).unwrap();
    place.succeeded(1);
    println!(
        "{REQUESTS} requests, {most} of them on the wire at once: the daemon at {} MiB while they wait, {} MiB at most",
        memory / 1024,
        daemon.peak_memory() / 1024
    );
    daemon.stop();
}

fn serve(runtime: &Runtime, waiting: Arc<AtomicUsize>, released: watch::Receiver<bool>) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    runtime.spawn(async move {
        while let Ok((visitor, _)) = listener.accept().await {
            tokio::spawn(answer(visitor, waiting.clone(), released.clone()));
        }
    });
    address
}

/// Answers one request after the other, as soon as that is allowed.
async fn answer(mut visitor: TcpStream, waiting: Arc<AtomicUsize>, mut released: watch::Receiver<bool>) -> Option<()> {
    let mut buffer = [0; 512];
    while visitor.read(&mut buffer).await.ok()? > 0 {
        waiting.fetch_add(1, Ordering::SeqCst);
        released.wait_for(|released| *released).await.ok()?;
        visitor.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.ok()?;
    }
    Some(())
}
