//! Reaches for everything that a plugin does not have, and answers with what it got: nothing, or an error, each time.

use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::{env, fs, io};

use orchestrator_sdk::task::{Context, Failure, Step, Task};
use serde_json::{Value, json};

struct WrongImports;

impl Task for WrongImports {
    fn start(_: Context) -> Result<Step, Failure> {
        let mut typed = String::new();
        let response = json!({
            "environment": env::vars().collect::<Vec<_>>(),
            "arguments": env::args().collect::<Vec<_>>(),
            "stdin": result(io::stdin().read_to_string(&mut typed).map(|bytes| bytes.to_string())),
            "read": result(fs::read_to_string("/etc/passwd")),
            "list": result(fs::read_dir("/").map(|entries| format!("{} entries", entries.count()))),
            "write": result(fs::write("/tmp/written", "x").map(|()| "written".to_owned())),
            "tcp": result(TcpStream::connect("127.0.0.1:22").map(|_| "connected".to_owned())),
            "listen": result(TcpListener::bind("127.0.0.1:0").map(|_| "listening".to_owned())),
            "udp": result(UdpSocket::bind("127.0.0.1:0").map(|_| "bound".to_owned())),
            "dns": result(("localhost", 80).to_socket_addrs().map(|addresses| format!("{:?}", addresses.collect::<Vec<_>>()))),
        });
        Ok(Step::success(response.to_string()))
    }
}

fn result(got: io::Result<String>) -> Value {
    match got {
        Ok(got) => json!({ "got": got }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

orchestrator_sdk::export_task!(WrongImports);
