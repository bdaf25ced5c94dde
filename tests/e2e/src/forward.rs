//! A local port that leads to a port of a pod, like `kubectl port-forward`: for programs that are not ours.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Forwards until it is dropped. Each connection is a forward of its own, so that a pod of the same name that takes
/// another's place is reached too.
#[derive(Debug)]
pub(crate) struct Forward {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Forward {
    /// Listens on a free port of the loopback interface.
    pub(crate) async fn start(pods: Api<Pod>, pod: &str, port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen on the loopback interface")?;
        let address = listener.local_addr()?;
        let pod = pod.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(carry(pods.clone(), pod.clone(), port, connection));
            }
        });
        Ok(Self { address, task })
    }

    /// Where to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An error closes the connection: the client sees what it would see of a server that went away.
async fn carry(pods: Api<Pod>, pod: String, port: u16, mut connection: TcpStream) {
    if let Ok(mut forward) = pods.portforward(&pod, &[port]).await
        && let Some(mut stream) = forward.take_stream(port)
    {
        let _ = tokio::io::copy_bidirectional(&mut connection, &mut stream).await;
        drop(stream);
        let _ = forward.join().await;
    }
}
