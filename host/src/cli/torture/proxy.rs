//! What stands between a host and PostgreSQL, so that the host can be cut off from it: connections broken and refused, or
//! everything held up on the way.

use crate::clock::Clock;
use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

const POSTGRES_PORT: u16 = 5432;

/// How the way to the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// Connections are broken, new ones too.
    Broken,
    /// Nothing passes, and nobody is told.
    HeldUp,
}

/// Where the server is.
#[derive(Clone, Debug)]
enum Upstream {
    Tcp(String, u16),
    Socket(PathBuf),
}

/// A listener of one host; dropping it ends it.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    listening: JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn start(database_url: &str, clock: Clock) -> anyhow::Result<Self> {
        let upstream = upstream(database_url)?;
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("the way to the database cannot be listened on")?;
        let address = listener.local_addr()?;
        let (way, watched) = watch::channel(Way::Open);
        let listening = tokio::spawn(accept(listener, upstream, watched, clock));
        Ok(Self {
            address,
            way,
            listening,
        })
    }

    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// The database's address through this.
    pub(super) fn url(&self, database_url: &str) -> anyhow::Result<String> {
        let mut url = parse(database_url)?;
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !is_place(name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
        let host = url.set_host(Some("127.0.0.1"));
        if host.is_err() || url.set_port(Some(self.address.port())).is_err() {
            bail!("the database's address cannot be led through a proxy");
        }
        Ok(url.into())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn parse(database_url: &str) -> anyhow::Result<Url> {
    // Its reason could quote the address with its password.
    Url::parse(database_url).map_err(|_| anyhow::anyhow!("database-url is not an address"))
}

/// Whether a parameter of the address says where the server is.
fn is_place(name: &str) -> bool {
    matches!(name, "host" | "hostaddr" | "port")
}

fn upstream(database_url: &str) -> anyhow::Result<Upstream> {
    let url = parse(database_url)?;
    let given = |wanted: &str| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let port = match given("port") {
        Some(port) => port
            .parse()
            .context("the port of database-url is no number")?,
        None => url.port().unwrap_or(POSTGRES_PORT),
    };
    let host = given("hostaddr").or_else(|| given("host"));
    let host = host
        .or_else(|| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "localhost".into());
    let host = host.replace("%2F", "/").replace("%2f", "/");
    Ok(if host.starts_with('/') {
        Upstream::Socket(Path::new(&host).join(format!(".s.PGSQL.{port}")))
    } else {
        Upstream::Tcp(host, port)
    })
}

/// Owns the connections: they end with it.
async fn accept(
    listener: TcpListener,
    upstream: Upstream,
    way: watch::Receiver<Way>,
    clock: Clock,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(join(stream, upstream.clone(), way.clone()));
                }
                Err(_) => clock.sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn join(host: TcpStream, upstream: Upstream, mut way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Broken {
        return;
    }
    let _ = host.set_nodelay(true);
    let (from_host, to_host) = host.into_split();
    let carried = async {
        match upstream {
            Upstream::Tcp(name, port) => {
                let stream = TcpStream::connect((name, port)).await?;
                let _ = stream.set_nodelay(true);
                let (from_server, to_server) = stream.into_split();
                both(
                    carry(from_host, to_server, way.clone()),
                    carry(from_server, to_host, way.clone()),
                )
                .await
            }
            Upstream::Socket(path) => {
                let stream = UnixStream::connect(path).await?;
                let (from_server, to_server) = stream.into_split();
                both(
                    carry(from_host, to_server, way.clone()),
                    carry(from_server, to_host, way.clone()),
                )
                .await
            }
        }
    };
    let mut broken = way.clone();
    tokio::select! {
        _ = carried => {}
        _ = broken.wait_for(|way| *way == Way::Broken) => {}
    }
    way.mark_unchanged();
}

/// Either direction's end is the connection's.
async fn both(
    one: impl Future<Output = io::Result<()>>,
    other: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    tokio::select! {
        ended = one => ended,
        ended = other => ended,
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        // What was read is held up, too: the other side learns nothing meanwhile.
        let _ = way.wait_for(|way| *way != Way::HeldUp).await;
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_address_keeps_all_but_the_place() {
        let given = "postgres://me:secret@localhost/db?host=/tmp/x&options[search_path]=s";
        let proxy = Proxy::start(given, Clock::system()).await.unwrap();
        let port = proxy.address.port();
        let url = proxy.url(given).unwrap();
        let expected =
            format!("postgres://me:secret@127.0.0.1:{port}/db?options%5Bsearch_path%5D=s");
        assert_eq!(url, expected);
        let Upstream::Socket(path) = upstream(given).unwrap() else {
            panic!("a socket");
        };
        assert_eq!(path, Path::new("/tmp/x/.s.PGSQL.5432"));
        let Upstream::Tcp(host, port) = upstream("postgres://a@db.example:6000/x").unwrap() else {
            panic!("a name");
        };
        assert_eq!((host.as_str(), port), ("db.example", 6000));
    }
}
