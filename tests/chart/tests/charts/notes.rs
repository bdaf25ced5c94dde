//! What a user reads after the installation. Only Helm 4 shows it without a cluster.

use chart_tests::helm;
use serde_json::{Value, json};

fn notes(values: &Value) -> Option<String> {
    let helm = crate::HELMS.iter().find(|helm| helm.version().starts_with("v4"));
    if helm.is_none() {
        println!("left out: the notes are tested with Helm 4");
    }
    Some(helm?.notes(&helm::opennebula(), crate::RELEASE, values).unwrap())
}

#[test]
fn the_default_notes() {
    let Some(notes) = notes(&json!({})) else { return };
    insta::assert_snapshot!(notes);
}

#[test]
fn they_follow_the_values() {
    let cases = [
        (
            json!({"ingress": {"enabled": true, "hostname": "cloud.example.org", "tls": {"enabled": true}}}),
            vec!["https://cloud.example.org/"],
        ),
        (
            json!({"ingress": {"enabled": true}}),
            vec!["http://opennebula.local/"],
        ),
        (
            json!({"fireedge": {"enabled": false}}),
            vec!["fireedge.enabled=false"],
        ),
        (
            json!({"service": {"fireedge": {"type": "LoadBalancer"}}}),
            vec!["get service opennebula-fireedge"],
        ),
        (
            json!({"opennebula": {"existingSecret": "mine", "existingSecretKeys": {"password": "pw"}}}),
            vec!["get secret mine", r#"index .data "pw""#],
        ),
        (
            json!({"monitord": {"advertisedAddress": "192.0.2.1", "port": 30124}, "service": {"monitord": {"type": "NodePort"}}}),
            vec!["192.0.2.1, port 30124"],
        ),
        (
            json!({"monitord": {"port": 30124}, "service": {"monitord": {"type": "NodePort"}}}),
            vec!["the node of pod opennebula-0, port 30124"],
        ),
        (
            json!({"service": {"monitord": {"type": "LoadBalancer"}}}),
            vec![
                "the address of Service opennebula-monitord, port 4124",
                "get service opennebula-monitord",
            ],
        ),
        (
            json!({"route": {"fireedge": {"enabled": true, "parentRefs": [{"name": "g"}], "hostnames": ["a.example.org", "b.example.org"]}}}),
            vec!["At the Gateway, a.example.org, b.example.org"],
        ),
        (
            json!({"maintenance": {"enabled": true}}),
            vec!["is in maintenance", "exec -it opennebula-0 -- bash"],
        ),
        (
            json!({"image": {"tag": "7.2.0"}}),
            vec!["OpenNebula 7.2.0 is starting"],
        ),
        (
            json!({"service": {"type": "NodePort", "fireedge": {"nodePort": 30616}}}),
            vec!["http://NODE:30616/", "get service opennebula-api -o jsonpath="],
        ),
        (
            json!({"ingress": {"enabled": true, "extraHosts": ["b.example.org"]}}),
            vec!["http://b.example.org/"],
        ),
        (
            json!({"persistence": {"enabled": false}}),
            vec!["ATTENTION: persistence is off"],
        ),
        (
            json!({"opennebula": {"adminPassword": "in-clear"}}),
            vec![
                "ATTENTION: a password is in the values",
                "get secret opennebula-admin",
            ],
        ),
    ];
    for (values, words) in cases {
        let Some(notes) = notes(&values) else { return };
        for word in words {
            assert!(notes.contains(word), "with {values}, {word:?} is not in: {notes}");
        }
        assert!(!notes.contains("in-clear"), "{notes}");
        for command in notes
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("kubectl ") || line.starts_with("helm "))
        {
            assert!(command.contains(" --namespace "), "{command}");
        }
    }
}
