//! What does a connection hand to us? No more than any server has to say, for the client would read a line without end; and
//! nothing that was said before the connection was made safe as if it had been said afterwards.

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

/// What is read at once: a line of an answer has no more than 512 bytes (RFC 5321, section 4.5.3.1.5).
const AT_ONCE: usize = 4 << 10;
/// With which TLS begins whatever it says first (RFC 8446, section 5.1), and no command does.
const HANDSHAKE: u8 = 22;

/// A connection of which so much is read and no more.
///
/// The client asks for more than one line and keeps what it gets, also over STARTTLS: whoever stands in between could put
/// answers there, to what is asked afterwards. So it gets line by line, and what is left of them when TLS begins is refused.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    left: usize,
    /// What was read, and not handed on yet.
    kept: Vec<u8>,
    is_safe: bool,
}

impl Line {
    /// Connects to the first address that answers within its time.
    pub async fn to(host: &str, port: u16, each: Duration) -> io::Result<Self> {
        let mut trouble = io::Error::other("the name has no address");
        for address in lookup_host((host, port)).await? {
            match timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(Self::of(stream)),
                Ok(Err(error)) => trouble = error,
                Err(_) => trouble = io::Error::new(io::ErrorKind::TimedOut, "nobody answers"),
            }
        }
        Err(trouble)
    }

    fn of(stream: TcpStream) -> Self {
        Self { stream, left: MOST, kept: Vec::new(), is_safe: false }
    }

    fn count(&mut self, read: usize) -> io::Result<()> {
        self.left = self.left.checked_sub(read).ok_or_else(|| io::Error::other("the server says too much"))?;
        Ok(())
    }

    /// Reads what is there, for somebody to take line by line.
    fn poll_keep(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut piece = [0; AT_ONCE];
        let mut read = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        self.kept.extend_from_slice(read.filled());
        Poll::Ready(self.count(read.filled().len()))
    }
}

impl AsyncTokioStream for Line {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_safe {
            let before = into.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
            return Poll::Ready(self.count(into.filled().len() - before));
        }
        if self.kept.is_empty() {
            ready!(self.poll_keep(context))?;
        }
        let line = self.kept.iter().position(|byte| *byte == b'\n').map_or(self.kept.len(), |end| end + 1);
        let end = line.min(into.remaining());
        into.put_slice(&self.kept[..end]);
        self.kept.drain(..end);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.first() == Some(&HANDSHAKE) && !self.is_safe {
            self.is_safe = true;
            if !self.kept.is_empty() {
                let why = "the server said more than it was asked for before TLS, which somebody in between may have put there";
                return Poll::Ready(Err(io::Error::other(why)));
            }
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
