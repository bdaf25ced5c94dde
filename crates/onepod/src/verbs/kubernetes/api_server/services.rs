//! Services and the watch on one of them: events from the version on that the client names, each once and in order.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{ApiServer, status};

/// Namespace and name.
type Key = (String, String);

#[derive(Default)]
pub(super) struct Services {
    objects: BTreeMap<Key, Value>,
    /// Every event with its version.
    events: Vec<(u64, Key, Value)>,
    watchers: Vec<(Key, mpsc::UnboundedSender<Value>)>,
}

impl Services {
    fn publish(&mut self, version: u64, key: Key, event: Value) {
        self.watchers
            .retain(|(watched, sender)| *watched != key || sender.send(event.clone()).is_ok());
        self.events.push((version, key, event));
    }
}

impl ApiServer {
    /// Stores a Service of a type, with what its load balancer says.
    pub(in crate::verbs) fn put_service(&self, namespace: &str, name: &str, kind: &str, ingress: &Value) {
        let mut store = self.store.lock().unwrap();
        store.version += 1;
        let version = store.version;
        let key = (namespace.to_owned(), name.to_owned());
        let object = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": version.to_string()},
            "spec": {"type": kind, "ports": [{"port": 4124, "protocol": "UDP"}]},
            "status": {"loadBalancer": {"ingress": ingress}},
        });
        let before = store.services.objects.insert(key.clone(), object.clone());
        let kind = if before.is_some() { "MODIFIED" } else { "ADDED" };
        store
            .services
            .publish(version, key, json!({"type": kind, "object": object}));
    }

    pub(in crate::verbs) fn delete_service(&self, namespace: &str, name: &str) {
        let mut store = self.store.lock().unwrap();
        store.version += 1;
        let version = store.version;
        let key = (namespace.to_owned(), name.to_owned());
        let object = store.services.objects.remove(&key).unwrap();
        store
            .services
            .publish(version, key, json!({"type": "DELETED", "object": object}));
    }

    /// Ends every watch in good order, as the API server does after a while.
    pub(in crate::verbs) fn end_watches(&self) {
        self.store.lock().unwrap().services.watchers.clear();
    }

    /// Ends every watch with the error for a version that is too old.
    pub(in crate::verbs) fn expire_watches(&self) {
        let event = json!({"type": "ERROR", "object": {
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
            "message": "too old resource version", "reason": "Expired", "code": 410,
        }});
        for (_, sender) in self.store.lock().unwrap().services.watchers.drain(..) {
            let _ = sender.send(event.clone());
        }
    }

    /// Waits until so many watches have begun.
    pub(in crate::verbs) async fn watched(&self, times: usize) {
        let mut watches = self.watches.subscribe();
        watches.wait_for(|begun| *begun >= times).await.unwrap();
    }
}

pub(super) fn routes() -> Router<ApiServer> {
    Router::new()
        .route("/api/v1/namespaces/{namespace}/services", get(follow))
        .route("/api/v1/namespaces/{namespace}/services/{name}", get(read))
}

async fn read(State(server): State<ApiServer>, Path(key): Path<Key>, uri: Uri) -> Response {
    if let Some(failure) = server.begin("GET", &uri) {
        return failure;
    }
    match server.store.lock().unwrap().services.objects.get(&key) {
        Some(object) => Json(object.clone()).into_response(),
        None => status(404, &format!("services \"{}\" not found", key.1)),
    }
}

async fn follow(
    State(server): State<ApiServer>,
    Path(namespace): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    uri: Uri,
) -> Response {
    if let Some(failure) = server.begin("WATCH", &uri) {
        return failure;
    }
    assert_eq!(query["watch"], "true");
    assert!(query.contains_key("timeoutSeconds"), "{query:?}");
    // The rule of a Role with resourceNames covers no other watch.
    let name = query["fieldSelector"].strip_prefix("metadata.name=").unwrap();
    let key = (namespace, name.to_owned());
    let (sender, events) = mpsc::unbounded_channel();
    {
        let mut store = server.store.lock().unwrap();
        let services = &mut store.services;
        match query["resourceVersion"].as_str() {
            "" => {
                if let Some(object) = services.objects.get(&key) {
                    sender.send(json!({"type": "ADDED", "object": object})).unwrap();
                }
            }
            version => {
                let version: u64 = version.parse().unwrap();
                let later = |(at, of, _): &&(u64, Key, Value)| *at > version && *of == key;
                for (_, _, event) in services.events.iter().filter(later) {
                    sender.send(event.clone()).unwrap();
                }
            }
        }
        services.watchers.push((key, sender));
    }
    server.watches.send_modify(|begun| *begun += 1);
    let lines = stream::unfold(events, |mut events: mpsc::UnboundedReceiver<Value>| async move {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(format!("{event}\n")), events))
    });
    Body::from_stream(lines).into_response()
}
