//! A client that costs next to nothing: it shares two cores with what is measured. One kept connection, one request at a
//! time, answers with a `Content-Length`.

use crate::Failure;
use crate::server::MASTER;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub struct Client {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Client {
    /// `address`: host and port.
    pub async fn connect(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            line: String::new(),
            body: Vec::new(),
        })
    }

    /// The answer's body; an answer that is no success is an error.
    pub async fn call(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<&[u8], Failure> {
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-StorageApi-Token: {MASTER}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let status = self.next_line().await?.to_owned();
        let mut length = 0;
        loop {
            let line = self.next_line().await?;
            if line.is_empty() {
                break;
            }
            let header = line.split_once(':').unwrap_or_default();
            if header.0.eq_ignore_ascii_case("content-length") {
                length = header.1.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).await?;
        if status
            .split(' ')
            .nth(1)
            .is_some_and(|code| code.starts_with('2'))
        {
            return Ok(&self.body);
        }
        let said = String::from_utf8_lossy(&self.body);
        Err(format!("{method} {path}: {status}: {said}").into())
    }

    pub async fn json(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<serde_json::Value, Failure> {
        Ok(serde_json::from_slice(
            self.call(method, path, body).await?,
        )?)
    }

    async fn next_line(&mut self) -> Result<&str, Failure> {
        self.line.clear();
        if self.stream.read_line(&mut self.line).await? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(self.line.trim_end())
    }
}
