//! Which threads start processes? Two of their own, because each start blocks for about a millisecond, which would be
//! the lateness of whatever an async worker has to do meanwhile.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::door::{Order, Surroundings};
use super::process::{Ends, Process, spawn};
use super::program::{Prepared, Trouble, spawn_trouble};
use crate::clock::{Clock, instant};
use crate::run::Reason;

/// One thread tops out at 1,500 starts a second, two at about 2,000; more do not help, because the kernel serialises.
const THREADS: usize = 2;
/// Starts that wait for a thread.
const REQUESTS: usize = 4096;

/// A process that has begun, and when.
#[derive(Debug)]
pub struct Begun {
    pub process: Process,
    pub ends: Ends,
    pub at: Timestamp,
    pub since: Instant,
}

type Request = (Order, oneshot::Sender<Result<Begun, Trouble>>);

#[derive(Debug)]
pub struct Spawner {
    requests: Option<mpsc::Sender<Request>>,
    threads: Vec<JoinHandle<()>>,
}

impl Spawner {
    pub fn new(clock: &Clock, surroundings: &Arc<Surroundings>) -> io::Result<Self> {
        let (requests, requests_out) = mpsc::channel::<Request>(REQUESTS);
        let requests_out = Arc::new(Mutex::new(requests_out));
        let threads = (0..THREADS)
            .map(|number| {
                let (requests, clock, surroundings) = (requests_out.clone(), clock.clone(), surroundings.clone());
                std::thread::Builder::new()
                    .name(format!("spawn-{number}"))
                    .spawn(move || serve(&requests, &clock, &surroundings))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { requests: Some(requests), threads })
    }

    /// Starts a process, or says why it cannot begin.
    pub async fn spawn(&self, order: Order) -> Result<Begun, Trouble> {
        let gone = || Trouble::new(Reason::Spawn, "the daemon is ending");
        let (answer, answer_out) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send((order, answer)).await.map_err(|_| gone())?;
        answer_out.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        drop(self.requests.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(requests: &Mutex<mpsc::Receiver<Request>>, clock: &Clock, surroundings: &Surroundings) {
    loop {
        let request = requests.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some((order, answer)) = request else {
            return;
        };
        // If nobody waits for it any more, it is ended as it is dropped.
        let _ = answer.send(begin(&order, clock, surroundings));
    }
}

fn begin(order: &Order, clock: &Clock, surroundings: &Surroundings) -> Result<Begun, Trouble> {
    let prepared = Prepared::of(order, surroundings)?;
    // The process exists from the beginning of the call on; the rest of the call is the program taking over.
    let (at, since) = (clock.now(), instant());
    let (process, ends) = spawn(&prepared, &order.command().stdin).map_err(|error| spawn_trouble(&error, &prepared))?;
    Ok(Begun { process, ends, at, since })
}
