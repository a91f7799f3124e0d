//! An HTTP/1.1 server on a loopback port, for a handler that takes complete requests.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::connection::{self, Connection, ConnectionFault, NextFault};

/// A response; `None` closes the connection without one. A [`ConnectionFault`] in the extensions applies to its
/// transmission.
pub(super) type Reply = Option<Response<Full<Bytes>>>;

/// A server. Dropping it stops the server and drops its connections.
pub(super) struct Server {
    /// The address it listens on.
    pub(super) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// Serves `handler` on a free port of 127.0.0.1.
    pub(super) async fn start<H, F>(handler: H) -> io::Result<Self>
    where
        H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let handler = Arc::new(handler);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            // A failed accept is skipped: the client can connect again.
            loop {
                while connections.try_join_next().is_some() {}
                let Ok((stream, _)) = listener.accept().await else { continue };
                let handler = Arc::clone(&handler);
                connections.spawn(async move {
                    let connection = Connection::new(stream);
                    let next = connection.next();
                    let service = service_fn(move |request| answer(Arc::clone(&handler), Arc::clone(&next), request));
                    // An error means that the client disconnected or that a fault closed the connection.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
                });
            }
        });
        Ok(Self { address, accepting })
    }
}

async fn answer<H, F>(
    handler: Arc<H>,
    next: NextFault,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, io::Error>
where
    H: Fn(Request<Bytes>) -> F,
    F: Future<Output = Reply>,
{
    let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| broken())?.to_bytes();
    let mut response = handler(Request::from_parts(parts, body)).await.ok_or_else(broken)?;
    connection::set(&next, response.extensions_mut().remove::<ConnectionFault>().unwrap_or_default());
    Ok(response)
}

/// A complete response.
pub(super) fn reply(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
    Response::builder().status(status).header("Content-Type", content_type).body(Full::new(body.into())).ok()
}
