//! Scenarios of a database server whose limit of connections is below what OpenNebula opens at its start.

use std::fs;

use super::front::Front;
use super::mariadb::Server;

const PASSWORD: &str = "S3cr3t-of-the-database";

#[tokio::test]
async fn a_server_that_allows_too_few_connections_is_refused_with_the_setting() {
    let (server, front) = (Server::install().await, Front::new());
    let _running = server.start().await;
    let user = format!("CREATE USER oneadmin@'%' IDENTIFIED BY '{PASSWORD}'");
    server
        .administer(&[
            "DELETE FROM mysql.global_priv WHERE User = ''",
            "FLUSH PRIVILEGES",
            &user,
            "GRANT ALL ON *.* TO oneadmin@'%'",
            "SET GLOBAL max_connections = 42",
        ])
        .await;
    let (port, file) = (server.port.to_string(), front.dir.path().join("config.yaml"));
    fs::write(
        &file,
        "oned:\n  DB/CONNECTIONS: 20\nmonitord:\n  DB/CONNECTIONS: 10\n",
    )
    .unwrap();
    let database = [
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", port.as_str()),
        ("DB_PASSWORD", PASSWORD),
    ];
    let error = front.prepare(&database).await.unwrap_err().to_string();
    for part in [
        "allows 42 connections (max_connections)",
        "open 25 and 15",
        "DB/CONNECTIONS",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    // Nothing was written for a database that does not do.
    assert!(!front.paths.one_auth().exists());
    let lower = [&database[..], &[("ONEPOD_CONFIG", file.to_str().unwrap())]].concat();
    front.prepare(&lower).await.unwrap();
    server
        .administer(&["ALTER USER oneadmin@'%' WITH MAX_USER_CONNECTIONS 12"])
        .await;
    let error = front.prepare(&lower).await.unwrap_err().to_string();
    assert!(
        error.contains("allows 12 connections (max_user_connections)"),
        "{error}"
    );
}
