//! What does a connection hand to us? No more than any server has to say: the client would read a line without end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// All answers of a conversation are some kilobytes, those to a hundred recipients included, and so are certificates.
const MOST: usize = 1 << 20;

/// A connection of which so much is read and no more.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    left: usize,
}

impl Line {
    /// Connects to the first address that answers within its time.
    pub async fn to(host: &str, port: u16, each: Duration) -> io::Result<Self> {
        let mut trouble = io::Error::other("the name has no address");
        for address in lookup_host((host, port)).await? {
            match timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(Self { stream, left: MOST }),
                Ok(Err(error)) => trouble = error,
                Err(_) => trouble = io::Error::new(io::ErrorKind::TimedOut, "nobody answers"),
            }
        }
        Err(trouble)
    }
}

impl AsyncTokioStream for Line {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let read = into.filled().len() - before;
        let left = self.left.checked_sub(read).ok_or_else(|| io::Error::other("the server says too much"));
        self.left = left?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
