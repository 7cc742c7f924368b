//! Which addresses has a name? Each name is looked up once for a client, however many ask for it at once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::sync::{OnceCell, Semaphore};

/// A look-up takes a thread of its own while it lasts.
const MOST_LOOKUPS: usize = 16;

/// Why a name has no address, in the words of the system.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct NoAddress(pub String);

type Found = Arc<OnceCell<Result<Vec<SocketAddr>, NoAddress>>>;

#[derive(Debug)]
pub struct Names {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    found: Mutex<HashMap<String, Found>>,
    lookups: Semaphore,
}

impl Names {
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { found: Mutex::default(), lookups: Semaphore::new(MOST_LOOKUPS) }) }
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let shared = self.shared.clone();
        Box::pin(async move {
            let cell = shared.cell(name.as_str());
            let found = cell.get_or_init(|| shared.look_up(name.as_str())).await;
            let addresses: Addrs = Box::new(found.clone()?.into_iter());
            Ok(addresses)
        })
    }
}

impl Shared {
    fn cell(&self, name: &str) -> Found {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.entry(name.to_owned()).or_default().clone()
    }

    async fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, NoAddress> {
        let _turn = self.lookups.acquire().await;
        // The port is set by who connects.
        lookup_host((name, 0)).await.map(Iterator::collect).map_err(|error| NoAddress(error.to_string()))
    }
}
