//! The part of the Kubernetes API that the verbs need, over real HTTP on loopback: here Secrets and the failures that tests
//! ask for, beside it Services and the watch on them.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::services::Services;

mod services;

type Hook = Box<dyn FnOnce(&ApiServer) + Send>;

/// Failures to answer with instead of serving: method, status, message, how often (`None`: always).
type Failure = (&'static str, u16, String, Option<u32>);

#[derive(Default)]
struct Store {
    secrets: BTreeMap<(String, String), Value>,
    services: Services,
    version: u64,
    requests: Vec<String>,
    failures: Vec<Failure>,
    after_get: VecDeque<Hook>,
}

#[derive(Clone)]
pub(in crate::verbs) struct ApiServer {
    store: Arc<Mutex<Store>>,
    address: SocketAddr,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// How many watches have begun.
    watches: watch::Sender<usize>,
}

impl ApiServer {
    pub(in crate::verbs) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(in crate::verbs) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self {
            store: Arc::default(),
            address: listener.local_addr().unwrap(),
            task: Arc::default(),
            watches: watch::Sender::default(),
        };
        let router = Router::new()
            .route("/api/v1/namespaces/{namespace}/secrets", post(create))
            .route(
                "/api/v1/namespaces/{namespace}/secrets/{name}",
                get(read).patch(patch),
            )
            .merge(services::routes())
            .with_state(server.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        *server.task.lock().unwrap() = Some(task);
        server
    }

    /// Ends the server, so that its port refuses connections.
    pub(in crate::verbs) async fn stop(&self) {
        let task = self.task.lock().unwrap().take().unwrap();
        task.abort();
        let _ = task.await;
    }

    pub(in crate::verbs) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(in crate::verbs) fn secret(&self, namespace: &str, name: &str) -> Option<Value> {
        self.store
            .lock()
            .unwrap()
            .secrets
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    pub(in crate::verbs) fn all(&self, namespace: &str) -> Vec<(String, Value)> {
        let store = self.store.lock().unwrap();
        store
            .secrets
            .iter()
            .filter(|((ns, _), _)| ns == namespace)
            .map(|((_, n), v)| (n.clone(), v.clone()))
            .collect()
    }

    /// A key's value in clear.
    pub(in crate::verbs) fn value(&self, namespace: &str, name: &str, key: &str) -> String {
        let object = self.secret(namespace, name).unwrap();
        String::from_utf8(STANDARD.decode(object["data"][key].as_str().unwrap()).unwrap()).unwrap()
    }

    /// Stores a Secret as somebody else would.
    pub(in crate::verbs) fn put(&self, namespace: &str, name: &str, data: &[(&str, &str)]) {
        let data: BTreeMap<_, _> = data
            .iter()
            .map(|(key, value)| (*key, STANDARD.encode(value)))
            .collect();
        let mut object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace, "labels": {"owner": "somebody"}},
        });
        if !data.is_empty() {
            object["data"] = json!(data);
        }
        self.write(namespace, name, object);
    }

    pub(in crate::verbs) fn set_key(&self, namespace: &str, name: &str, key: &str, value: &str) {
        self.edit(namespace, name, |object| {
            object["data"][key] = json!(STANDARD.encode(value));
        });
    }

    pub(in crate::verbs) fn edit(&self, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.secret(namespace, name).unwrap();
        change(&mut object);
        self.write(namespace, name, object);
    }

    fn write(&self, namespace: &str, name: &str, mut object: Value) -> Value {
        let mut store = self.store.lock().unwrap();
        store.version += 1;
        object["metadata"]["resourceVersion"] = json!(store.version.to_string());
        store
            .secrets
            .insert((namespace.to_owned(), name.to_owned()), object.clone());
        object
    }

    /// Runs once, after the next read has been answered from the store and before its answer is sent.
    pub(in crate::verbs) fn after_get(&self, hook: impl FnOnce(&Self) + Send + 'static) {
        self.store.lock().unwrap().after_get.push_back(Box::new(hook));
    }

    pub(in crate::verbs) fn fail_always(&self, method: &'static str, status: u16, message: &str) {
        self.store
            .lock()
            .unwrap()
            .failures
            .push((method, status, message.to_owned(), None));
    }

    pub(in crate::verbs) fn fail_times(&self, method: &'static str, status: u16, message: &str, times: u32) {
        self.store
            .lock()
            .unwrap()
            .failures
            .push((method, status, message.to_owned(), Some(times)));
    }

    pub(in crate::verbs) fn requests(&self) -> Vec<String> {
        self.store.lock().unwrap().requests.clone()
    }

    pub(in crate::verbs) fn forget_requests(&self) {
        self.store.lock().unwrap().requests.clear();
    }

    /// Notes the request; the answer is what to fail with, if anything.
    fn begin(&self, method: &str, uri: &Uri) -> Option<Response> {
        let mut store = self.store.lock().unwrap();
        store.requests.push(format!("{method} {}", uri.path()));
        let failure = store
            .failures
            .iter_mut()
            .find(|f| f.0 == method && f.3 != Some(0))?;
        if let Some(left) = &mut failure.3 {
            *left -= 1;
        }
        Some(status(failure.1, &failure.2))
    }
}

async fn read(
    State(server): State<ApiServer>,
    Path((namespace, name)): Path<(String, String)>,
    method: Method,
    uri: Uri,
) -> Response {
    if let Some(failure) = server.begin(method.as_str(), &uri) {
        return failure;
    }
    let found = server.secret(&namespace, &name);
    let hook = server.store.lock().unwrap().after_get.pop_front();
    if let Some(hook) = hook {
        hook(&server);
    }
    match found {
        Some(object) => Json(object).into_response(),
        None => status(404, &format!("secrets \"{name}\" not found")),
    }
}

async fn create(
    State(server): State<ApiServer>,
    Path(namespace): Path<String>,
    method: Method,
    uri: Uri,
    Json(mut object): Json<Value>,
) -> Response {
    if let Some(failure) = server.begin(method.as_str(), &uri) {
        return failure;
    }
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    if server.secret(&namespace, &name).is_some() {
        return status(409, &format!("secrets \"{name}\" already exists"));
    }
    object["metadata"]["namespace"] = json!(namespace);
    (StatusCode::CREATED, Json(server.write(&namespace, &name, object))).into_response()
}

async fn patch(
    State(server): State<ApiServer>,
    Path((namespace, name)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
    Json(change): Json<Value>,
) -> Response {
    if let Some(failure) = server.begin(method.as_str(), &uri) {
        return failure;
    }
    assert_eq!(headers["content-type"], "application/merge-patch+json");
    let Some(mut object) = server.secret(&namespace, &name) else {
        return status(404, &format!("secrets \"{name}\" not found"));
    };
    let expected = &change["metadata"]["resourceVersion"];
    if !expected.is_null() && expected != &object["metadata"]["resourceVersion"] {
        return status(
            409,
            "the object has been modified; please apply your changes to the latest version",
        );
    }
    merge(&mut object, &change);
    Json(server.write(&namespace, &name, object)).into_response()
}

/// JSON merge patch, RFC 7386.
fn merge(target: &mut Value, change: &Value) {
    let Some(members) = change.as_object() else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in members {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// The API server's way to say no.
fn status(code: u16, message: &str) -> Response {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        _ => "",
    };
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (StatusCode::from_u16(code).unwrap(), Json(body)).into_response()
}
