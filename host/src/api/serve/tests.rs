//! Connections from outside: slow, idle, too many, too large, and a server that stops.

use super::*;
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async fn start(
    settings: ListenerSettings,
    router: Router,
) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let serving = tokio::spawn(serve(listener, settings, router, stopped));
    (address, stop, serving)
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

async fn ask(stream: &mut TcpStream) -> Vec<u8> {
    stream.write_all(REQUEST).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert_ne!(stream.read_buf(&mut answer).await.expect("answered"), 0);
    }
    answer
}

/// Returns once the other end has closed.
async fn until_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset closes as well.
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn idle_connections_do_not_keep_a_stopping_server() {
    let router = Router::new().route("/", get(async || "hello"));
    let (address, stop, serving) = start(ListenerSettings::default(), router).await;
    let mut silent = connect(address).await;
    let mut used = connect(address).await;
    let mut answer = ask(&mut used).await;

    stop.cancel();

    serving.await.expect("ended");
    assert_eq!(used.read_buf(&mut answer).await.expect("closed"), 0);
    assert_eq!(silent.read_buf(&mut answer).await.expect("closed"), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn one_connection_too_many_closes_the_one_that_is_idle_for_longest() {
    let router = Router::new().route("/", get(async || "hello"));
    let settings = ListenerSettings {
        most_connections: 2,
        ..ListenerSettings::default()
    };
    let (address, _stop, _serving) = start(settings, router).await;
    let mut first = connect(address).await;
    ask(&mut first).await;
    let mut dribbles = connect(address).await;
    dribbles.write_all(b"GET / HT").await.expect("sent");
    ask(&mut first).await;

    let mut third = connect(address).await;
    ask(&mut third).await;

    until_closed(&mut dribbles).await;
    ask(&mut first).await;
}

#[tokio::test]
async fn slow_heads_and_slow_readers_are_given_up() {
    let much = || async { vec![b'x'; 64 << 20] };
    let router = Router::new().route("/", get(much));
    let settings = ListenerSettings {
        head_patience: Duration::from_millis(300),
        write_patience: Duration::from_millis(300),
        ..ListenerSettings::default()
    };
    let (address, stop, serving) = start(settings, router).await;
    let mut half = connect(address).await;
    half.write_all(b"GET / HTTP/1.1\r\nHost:")
        .await
        .expect("sent");
    let mut reads_nothing = connect(address).await;
    reads_nothing.write_all(REQUEST).await.expect("sent");
    // The answer has begun, and more of it is not taken.
    reads_nothing.readable().await.expect("answered");

    until_closed(&mut half).await;
    stop.cancel();

    // It would wait for ever for the reader, whose request is under way.
    serving.await.expect("ended");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let router = Router::new().route("/", get(async || "hello"));
    let (address, _stop, _serving) = start(ListenerSettings::default(), router).await;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 17)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(200)
    );
    for request in [long, many] {
        let mut stream = connect(address).await;
        // The rest may meet a closed connection.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.expect("answered");
        assert_eq!(answer, b"HTTP/1.1 431");
    }
}
