//! Every pod, hooks and the test included.

use chart_tests::restricted::violations;
use serde_json::{Value, json};

use crate::defaults::everything;
use crate::{find, front_end, items, render};

fn variants() -> [Value; 5] {
    [
        json!({}),
        everything(),
        crate::database::external(),
        json!({"service": {"monitord": {"type": "LoadBalancer"}}, "mariadb": {"metrics": {"enabled": true}}}),
        json!({"global": {"openshift": {"enabled": true}}}),
    ]
}

/// Those that run first, and the others.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(&pod["initContainers"])
        .iter()
        .chain(items(&pod["containers"]))
}

#[test]
fn every_pod_passes_the_restricted_standard() {
    let mut pods = 0;
    for values in variants() {
        for object in render(&values) {
            if let Some(pod) = object.pod() {
                pods += 1;
                assert_eq!(
                    violations(pod),
                    Vec::<String>::new(),
                    "{}/{}",
                    object.kind(),
                    object.name()
                );
            }
        }
    }
    assert_eq!(
        pods,
        4 + 4 + 3 + 4 + 4,
        "front-end, database, Job and test; no database with one from outside"
    );
}

#[test]
fn every_root_file_system_is_read_only_and_only_the_job_has_a_token() {
    for values in variants() {
        for object in render(&values) {
            let Some(pod) = object.pod() else { continue };
            for container in containers(pod) {
                assert_eq!(
                    container["securityContext"]["readOnlyRootFilesystem"],
                    true,
                    "{}",
                    object.name()
                );
                assert!(
                    container["resources"]["requests"]["memory"].is_string(),
                    "{}",
                    object.name()
                );
            }
            assert_eq!(
                pod["automountServiceAccountToken"],
                object.kind() == "Job",
                "{}",
                object.name()
            );
            assert_eq!(pod["enableServiceLinks"], false, "{}", object.name());
        }
    }
}

#[test]
fn the_front_end_writes_only_where_something_is_mounted() {
    let objects = render(&json!({}));
    let mounts: Vec<_> = items(&front_end(&objects)["volumeMounts"])
        .iter()
        .filter(|mount| mount["readOnly"] != true)
        .map(|mount| mount["mountPath"].as_str().unwrap())
        .collect();
    assert_eq!(
        mounts,
        [
            "/var/lib/one",
            "/etc/one",
            "/run",
            "/var/log/one",
            "/tmp",
            "/var/tmp"
        ]
    );
}

#[test]
fn a_start_that_waits_or_migrates_is_never_ended_by_a_probe() {
    let objects = render(&json!({}));
    let container = front_end(&objects);
    let startup = &container["startupProbe"];
    // The largest number that Kubernetes takes: more seconds than a migration can need.
    assert_eq!(startup["failureThreshold"], i32::MAX);
    let paths = ["startupProbe", "readinessProbe", "livenessProbe"]
        .map(|probe| container[probe]["httpGet"]["path"].clone());
    assert_eq!(paths, ["/startupz", "/readyz", "/livez"]);
}

#[test]
fn there_is_never_a_second_front_end() {
    let objects = render(&json!({}));
    assert_eq!(
        find(&objects, "StatefulSet", "opennebula").at("/spec/replicas"),
        1
    );
    crate::refuses(&json!({"replicaCount": 2}), &["replicaCount"]);
}

#[test]
fn images_come_from_one_registry_with_pull_secrets_on_every_pod() {
    for object in render(&everything()) {
        let Some(pod) = object.pod() else { continue };
        assert_eq!(
            pod["imagePullSecrets"],
            json!([{"name": "one"}, {"name": "two"}]),
            "{}",
            object.name()
        );
        for container in containers(pod) {
            let image = container["image"].as_str().unwrap();
            assert!(image.starts_with("registry.example.org/"), "{image}");
        }
    }
}

#[test]
fn a_digest_takes_the_place_of_the_tag() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let objects = render(
        &json!({"image": {"digest": digest, "tag": "ignored"}, "mariadb": {"image": {"digest": digest}}}),
    );
    assert_eq!(
        front_end(&objects)["image"],
        format!("docker.io/pablodelarco/opennebula@{digest}")
    );
    let database = find(&objects, "StatefulSet", "opennebula-mariadb").pod().unwrap();
    assert_eq!(
        database["containers"][0]["image"],
        format!("docker.io/library/mariadb@{digest}")
    );
    crate::refuses(&json!({"image": {"digest": "sha256:abc"}}), &["/image/digest"]);
}

#[test]
fn labels_of_the_user_do_not_replace_those_that_select() {
    let values = json!({"podLabels": {"app.kubernetes.io/name": "other", "team": "cloud"}});
    let objects = render(&values);
    let set = find(&objects, "StatefulSet", "opennebula");
    let labels = set.at("/spec/template/metadata/labels");
    assert_eq!(labels["team"], "cloud");
    for (name, value) in set.at("/spec/selector/matchLabels").as_object().unwrap() {
        assert_eq!(&labels[name], value);
    }
}

/// A label with the chart's version in the pod would restart OpenNebula and its database at every release of the chart.
#[test]
fn a_new_version_of_the_chart_alone_restarts_no_pod() {
    for object in render(&json!({}))
        .iter()
        .filter(|object| object.kind() == "StatefulSet")
    {
        for path in ["/spec/template/metadata", "/spec/template/spec"] {
            let text = object.at(path).to_string();
            assert!(
                !text.contains("helm.sh/chart") && !text.contains("0.3.0"),
                "{text}"
            );
        }
    }
}

#[test]
fn the_job_and_the_test_go_where_the_front_end_may() {
    for object in render(&everything()) {
        let Some(pod) = object.pod().filter(|_| !object.name().ends_with("-mariadb")) else {
            continue;
        };
        let selector = json!({"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "zone": "a"});
        assert_eq!(pod["nodeSelector"], selector, "{}", object.name());
        assert_eq!(pod["tolerations"][0]["key"], "dedicated", "{}", object.name());
    }
}

/// The vendor's packages are for amd64 alone: on another node the image would not start.
#[test]
fn every_pod_asks_for_a_node_on_which_its_image_runs() {
    for values in variants() {
        for object in render(&values) {
            let Some(pod) = object.pod() else { continue };
            for (label, value) in [("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64")] {
                assert_eq!(pod["nodeSelector"][label], value, "{}", object.name());
            }
        }
    }
    let null = render(&json!({"nodeSelector": {"kubernetes.io/arch": null}}));
    let pod = find(&null, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
}

/// A file is on the node's disk while it is uploaded: a pod that had not asked for the space would be evicted for it.
#[test]
fn the_pod_asks_for_the_space_of_an_upload() {
    let requested = |values: Value| {
        let objects = render(&values);
        front_end(&objects)["resources"]["requests"]["ephemeral-storage"].clone()
    };
    assert_eq!(requested(json!({})), "10496Mi");
    assert_eq!(requested(json!({"uploads": {"maxSize": "2Gi"}})), "2304Mi");
    assert_eq!(requested(json!({"fireedge": {"enabled": false}})), "256Mi");
    let limited = render(&json!({"resources": {"limits": {"ephemeral-storage": "1Gi"}}}));
    assert_eq!(
        front_end(&limited)["resources"]["limits"]["ephemeral-storage"],
        "11264Mi"
    );

    let volume = json!({"nfs": {"server": "nfs.example.org", "path": "/uploads"}});
    let values = json!({"uploads": {"maxSize": "50G", "volume": volume}});
    let objects = render(&values);
    assert_eq!(
        front_end(&objects)["resources"]["requests"]["ephemeral-storage"],
        "256Mi"
    );
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    let mounted = items(&pod["volumes"])
        .iter()
        .find(|mounted| mounted["name"] == "var-tmp")
        .unwrap();
    assert_eq!(mounted["nfs"], volume["nfs"]);
    let file = find(&objects, "ConfigMap", "opennebula-overrides").text("/data/config.yaml");
    assert!(file.contains("max_upload_file_size: 50000297984"), "{file}");
    crate::refuses(
        &json!({"config": {"sunstone": {"max_upload_file_size": 1}}}),
        &["set uploads.maxSize instead"],
    );
}
