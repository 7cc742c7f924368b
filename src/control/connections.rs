//! Whom do we listen to at the same time? A bounded number of connections, of which those that are not being answered make
//! room for new ones, the oldest first.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::Request;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixStream;
use tokio::sync::OnceCell;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::access::{Peer, Person};
use super::stall::Impatient;

/// Each takes a descriptor and some ten kilobytes; people and their programs need a handful.
const MOST: usize = 128;
/// For how long the head of a request may take, and a connection may stay open without one.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// For how long a client may take nothing of its answer: somebody may read it page by page.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a request's head, and its lines.
const LARGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// For how long an answer that is under way may take when the daemon ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Whoever is at the other end of a connection.
pub struct Visitor {
    pub peer: Peer,
    /// Once somebody wanted to know.
    pub person: OnceCell<Person>,
    /// Requests that are being answered.
    answering: AtomicUsize,
}

pub struct Connections {
    service: TowerToHyperService<Router>,
    tasks: JoinSet<()>,
    /// The oldest first; those that have ended are among them.
    open: VecDeque<(Arc<Visitor>, AbortHandle)>,
}

impl Connections {
    pub fn new(router: Router) -> Self {
        Self { service: TowerToHyperService::new(router), tasks: JoinSet::new(), open: VecDeque::new() }
    }

    /// Listens to a client, unless everybody else is being answered at the moment and there is no room.
    pub fn take(&mut self, stream: UnixStream) {
        let Ok(peer) = Peer::of(&stream) else {
            return;
        };
        if !self.make_room() {
            return;
        }
        let visitor = Arc::new(Visitor { peer, person: OnceCell::new(), answering: AtomicUsize::new(0) });
        let task = self.tasks.spawn(speak(stream, visitor.clone(), self.service.clone()));
        self.open.push_back((visitor, task));
    }

    fn make_room(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|(_, task)| !task.is_finished());
        if self.open.len() < MOST {
            return true;
        }
        let idle = self.open.iter().position(|(visitor, _)| visitor.answering.load(Ordering::Relaxed) == 0);
        if let Some((_, task)) = idle.and_then(|at| self.open.remove(at)) {
            task.abort();
        }
        idle.is_some()
    }

    /// Lets answers that are under way be finished for a moment, and ends all.
    pub async fn end(mut self) {
        for (visitor, task) in &self.open {
            if visitor.answering.load(Ordering::Relaxed) == 0 {
                task.abort();
            }
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL, all).await;
        self.tasks.shutdown().await;
    }
}

/// Answers the requests of one client until it goes, or does not go on.
async fn speak(stream: UnixStream, visitor: Arc<Visitor>, service: TowerToHyperService<Router>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    // Who has said all may close its half, and still wants to hear.
    http.half_close(true);
    http.max_buf_size(LARGEST_HEAD).max_headers(MOST_HEADERS);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let answering = Answering::begin(&visitor);
        request.extensions_mut().insert(visitor.clone());
        let answer = service.call(request);
        async move { Ok::<_, std::convert::Infallible>(watched(answer.await, answering)) }
    });
    // Who does not speak HTTP, or goes in the middle, is nobody's trouble.
    let _ = http.serve_connection(TokioIo::new(Impatient::new(stream, PATIENCE)), answer).await;
}

/// That a request is being answered, until the last byte of the answer is on its way.
struct Answering(Arc<Visitor>);

impl Answering {
    fn begin(visitor: &Arc<Visitor>) -> Self {
        visitor.answering.fetch_add(1, Ordering::Relaxed);
        Self(visitor.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

fn watched(answer: Result<Response, std::convert::Infallible>, answering: Answering) -> hyper::Response<Watched> {
    match answer {
        Ok(response) => response.map(|body| Watched { body, _answering: answering }),
        Err(never) => match never {},
    }
}

/// The body of an answer.
struct Watched {
    body: Body,
    _answering: Answering,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
