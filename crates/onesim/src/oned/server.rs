//! The XML-RPC endpoint: accepts, reads one request, answers, closes.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::{Oned, calls};
use crate::{http, rpc};

/// Binds `LISTEN_ADDRESS:PORT`.
pub(crate) fn bind(address: &str, port: &str) -> io::Result<TcpListener> {
    let port: u16 = port
        .trim()
        .parse()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    TcpListener::bind((address, port))
}

/// Serves in the background until the process ends.
pub(crate) fn serve(oned: &Arc<Oned>, listener: TcpListener) {
    let oned = Arc::clone(oned);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let oned = Arc::clone(&oned);
            std::thread::spawn(move || {
                // A client that went away is not the server's failure.
                let _ = answer(&oned, &stream);
            });
        }
    });
}

fn answer(oned: &Oned, stream: &TcpStream) -> io::Result<()> {
    let request = http::read_request(stream)?;
    let path = request.path.split('?').next().unwrap_or_default();
    if path != "/RPC2" {
        return http::respond(stream, "404 Not Found", "<html><body>404 Not Found</body></html>");
    }
    if request.method != "POST" {
        return http::respond(
            stream,
            "405 Method Not Allowed",
            "<html><body>405 Method Not Allowed</body></html>",
        );
    }
    let body = match rpc::Call::read(&request.body) {
        None => rpc::fault(-503, "Call is not valid XML"),
        Some(call) => match calls::dispatch(oned, &call) {
            Some(value) => rpc::response(&value),
            None => rpc::fault(-506, &format!("Method '{}' not defined", call.method)),
        },
    };
    http::respond(stream, "200 OK", &body)
}
