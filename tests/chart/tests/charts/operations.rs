//! What operators turn: storage, disruption, placement, probes, additions, debugging.

use chart_tests::helm;
use serde_json::{Value, json};

use crate::{find, front_end, items, refuses, render, try_find};

#[test]
fn a_claim_is_an_object_that_can_grow_and_stays() {
    let objects = render(&json!({"persistence": {"size": "40Gi"}}));
    for set in ["opennebula", "opennebula-mariadb"] {
        assert!(
            find(&objects, "StatefulSet", set)
                .at("/spec/volumeClaimTemplates")
                .is_null(),
            "a template in {set} could not be changed"
        );
        let claim = find(&objects, "PersistentVolumeClaim", &format!("{set}-data"));
        assert_eq!(
            claim.at("/metadata/annotations")["helm.sh/resource-policy"],
            "keep"
        );
        let volume = volume(&objects, set, "data");
        assert_eq!(
            volume["persistentVolumeClaim"]["claimName"],
            format!("{set}-data")
        );
    }
    assert_eq!(
        find(&objects, "PersistentVolumeClaim", "opennebula-data").text("/spec/resources/requests/storage"),
        "40Gi"
    );
    let given =
        render(&json!({"persistence": {"retain": false}, "mariadb": {"persistence": {"retain": false}}}));
    for claim in given
        .iter()
        .filter(|object| object.kind() == "PersistentVolumeClaim")
    {
        assert!(claim.at("/metadata/annotations").is_null(), "{}", claim.name());
    }
}

#[test]
fn the_class_is_that_of_the_volume_or_the_global_one() {
    let class = |values: Value, claim: &str| {
        find(&render(&values), "PersistentVolumeClaim", claim)
            .at("/spec/storageClassName")
            .clone()
    };
    let global = json!({"global": {"storageClass": "slow"}, "persistence": {"storageClass": "fast"}});
    assert_eq!(class(global.clone(), "opennebula-data"), "fast");
    assert_eq!(class(global, "opennebula-mariadb-data"), "slow");
    assert!(class(json!({}), "opennebula-data").is_null());
    assert_eq!(
        class(json!({"persistence": {"storageClass": "-"}}), "opennebula-data"),
        "",
        "a dash asks for no class at all"
    );
}

#[test]
fn a_claim_of_the_user_is_used_and_none_made() {
    let objects = render(&json!({
        "persistence": {"existingClaim": "mine"},
        "mariadb": {"persistence": {"existingClaim": "mine-too"}},
    }));
    assert!(
        objects
            .iter()
            .all(|object| object.kind() != "PersistentVolumeClaim")
    );
    assert_eq!(
        volume(&objects, "opennebula", "data")["persistentVolumeClaim"]["claimName"],
        "mine"
    );
    assert_eq!(
        volume(&objects, "opennebula-mariadb", "data")["persistentVolumeClaim"]["claimName"],
        "mine-too"
    );
    refuses(
        &json!({"persistence": {"existingClaim": "mine", "enabled": false}}),
        &[
            "persistence.existingClaim is \"mine\"",
            "persistence.enabled is false",
        ],
    );
    refuses(
        &json!({"mariadb": {"persistence": {"existingClaim": "mine", "enabled": false}}}),
        &["mariadb.persistence.existingClaim is \"mine\""],
    );
}

/// The time that Kubernetes gives is longer than what onepod takes for itself, with room for what comes before and after.
#[test]
fn the_grace_period_fits_the_services_own_stops() {
    let services: toml::Table = std::fs::read_to_string(helm::repository().join("image/services.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let stop = services["stop_within_seconds"].as_integer().unwrap();
    let objects = render(&json!({}));
    let grace = find(&objects, "StatefulSet", "opennebula").pod().unwrap()["terminationGracePeriodSeconds"]
        .as_i64()
        .unwrap();
    assert!(grace >= stop + 5, "{grace} s for a stop of {stop} s");
    assert!(
        stop + 5 <= 30,
        "the guard in checks.yaml lets 30 s pass, a stop takes {stop} s"
    );
    refuses(
        &json!({"terminationGracePeriodSeconds": 29}),
        &["terminationGracePeriodSeconds is 29", "Set 30 or more"],
    );
    for (grace, stop) in [(30, "25"), (60, "55"), (1800, "1795")] {
        let objects = render(&json!({"terminationGracePeriodSeconds": grace}));
        assert_eq!(
            find(&objects, "ConfigMap", "opennebula").text("/data/ONEPOD_STOP_TIMEOUT"),
            stop
        );
    }
}

#[test]
fn a_drain_is_not_stopped_unless_asked_to() {
    let objects = render(&json!({}));
    for name in ["opennebula", "opennebula-mariadb"] {
        let budget = find(&objects, "PodDisruptionBudget", name);
        assert_eq!(budget.at("/spec/maxUnavailable"), 1);
        let labels = find(&objects, "StatefulSet", name)
            .at("/spec/template/metadata/labels")
            .clone();
        for (key, value) in budget.at("/spec/selector/matchLabels").as_object().unwrap() {
            assert_eq!(&labels[key], value, "{name} is not selected");
        }
    }
    let never = render(&json!({"podDisruptionBudget": {"maxUnavailable": 0}}));
    assert_eq!(
        find(&never, "PodDisruptionBudget", "opennebula").at("/spec/maxUnavailable"),
        0
    );
    let off = render(
        &json!({"podDisruptionBudget": {"enabled": false}, "mariadb": {"podDisruptionBudget": {"enabled": false}}}),
    );
    assert!(off.iter().all(|object| object.kind() != "PodDisruptionBudget"));
}

#[test]
fn front_ends_keep_apart_as_the_preset_says() {
    let affinity = |values: Value| {
        find(&render(&values), "StatefulSet", "opennebula").pod().unwrap()["affinity"].clone()
    };
    let term = "preferredDuringSchedulingIgnoredDuringExecution";
    assert_eq!(
        affinity(json!({}))["podAntiAffinity"][term][0]["podAffinityTerm"]["topologyKey"],
        "kubernetes.io/hostname"
    );
    let hard = affinity(json!({"podAntiAffinityPreset": "hard"}));
    assert!(hard["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"].is_array());
    assert!(affinity(json!({"podAntiAffinityPreset": ""})).is_null());
    assert_eq!(
        affinity(json!({"affinity": {"podAffinity": {}}})),
        json!({"podAffinity": {}})
    );
}

#[test]
fn additions_are_lists_or_text_with_templates() {
    let list = render(&json!({"extraEnv": [{"name": "A", "value": "{{ .Release.Name }}"}]}));
    let text = render(&json!({"extraEnv": "- {name: A, value: {{ .Release.Name }}}"}));
    for objects in [list, text] {
        assert!(
            items(&front_end(&objects)["env"]).contains(&json!({"name": "A", "value": "opennebula"})),
            "{}",
            front_end(&objects)["env"]
        );
    }
    let container = json!({"name": "beside", "image": "{{ .Chart.Name }}"});
    let objects = render(&json!({
        "extraInitContainers": [container], "extraContainers": [container],
        "extraVolumes": [{"name": "more", "emptyDir": {}}], "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "extraEnvFrom": [{"secretRef": {"name": "more"}}],
        "extraObjects": [
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text\n",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-map"}},
        ],
    }));
    for name in ["opennebula-text", "opennebula-map"] {
        assert!(try_find(&objects, "ConfigMap", name).is_some(), "{name}");
    }
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(
        pod["initContainers"],
        json!([{"name": "beside", "image": "opennebula"}])
    );
    assert_eq!(pod["containers"][1]["name"], "beside");
    assert_eq!(volume(&objects, "opennebula", "more")["emptyDir"], json!({}));
    assert!(front_end(&objects)["volumeMounts"].to_string().contains("/more"));
    assert_eq!(front_end(&objects)["envFrom"][1]["secretRef"]["name"], "more");
}

#[test]
fn labels_and_annotations_for_all_are_on_all() {
    let mine = json!({
        "commonLabels": {"owner": "platform", "app.kubernetes.io/name": "other"},
        "commonAnnotations": {"contact": "x"},
    });
    let mut values = mine.clone();
    values["mariadb"] = mine;
    let objects = render(&values);
    for object in &objects {
        let place = format!("{}/{}", object.kind(), object.name());
        assert_eq!(object.at("/metadata/labels")["owner"], "platform", "{place}");
        assert_ne!(
            object.at("/metadata/labels")["app.kubernetes.io/name"],
            "other",
            "{place}"
        );
        assert_eq!(object.at("/metadata/annotations")["contact"], "x", "{place}");
        if object.kind() == "StatefulSet" {
            assert_eq!(
                object.at("/spec/template/metadata/labels")["owner"],
                "platform",
                "{place}"
            );
            assert!(
                object.at("/spec/selector/matchLabels")["owner"].is_null(),
                "{place}"
            );
        }
    }
}

#[test]
fn on_openshift_nobody_names_a_user() {
    for object in render(&json!({"global": {"openshift": {"enabled": true}}})) {
        let Some(pod) = object.pod() else { continue };
        for field in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert!(
                pod["securityContext"][field].is_null(),
                "{}: {field}",
                object.name()
            );
        }
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    }
}

#[test]
fn security_contexts_can_be_changed_and_fields_taken_away() {
    let objects = render(&json!({
        "podSecurityContext": {"fsGroup": 5, "supplementalGroups": [7]},
        "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
    }));
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(pod["securityContext"]["fsGroup"], 5);
    assert_eq!(pod["securityContext"]["supplementalGroups"], json!([7]));
    assert_eq!(pod["securityContext"]["runAsUser"], 9869);
    assert_eq!(
        front_end(&objects)["securityContext"]["capabilities"],
        json!({"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]})
    );
}

#[test]
fn in_maintenance_nothing_runs_and_nobody_is_sent_there() {
    let objects = render(&json!({"maintenance": {"enabled": true}}));
    let container = front_end(&objects);
    let command = container["command"].to_string();
    assert!(
        command.contains("sleep infinity")
            && command.contains("trap 'exit 0' TERM")
            && command.contains("onepod render"),
        "{command}"
    );
    assert_eq!(
        container["readinessProbe"]["exec"]["command"],
        json!(["/usr/bin/false"])
    );
    assert!(container["livenessProbe"].is_null() && container["startupProbe"].is_null());
    assert!(front_end(&render(&json!({})))["command"].is_null());
}

#[test]
fn a_mount_inside_of_a_volume_finds_its_directory_made_by_oneadmin() {
    let mounted = |paths: &[&str]| {
        let mounts: Vec<Value> = paths
            .iter()
            .map(|path| json!({"name": "x", "mountPath": path}))
            .collect();
        let objects =
            render(&json!({"extraVolumes": [{"name": "x", "emptyDir": {}}], "extraVolumeMounts": mounts}));
        find(&objects, "StatefulSet", "opennebula").pod().unwrap()["initContainers"].clone()
    };
    for path in ["/var/lib/one/datastores/100", "/etc/one/auth/ldap_auth.conf"] {
        let containers = mounted(&["/srv/other", path]);
        let layout = &containers[0];
        assert_eq!(
            (&layout["name"], &layout["args"]),
            (&json!("layout"), &json!(["layout"]))
        );
        assert_eq!(
            layout["volumeMounts"],
            json!([
                {"name": "data", "mountPath": "/var/lib/one"},
                {"name": "etc", "mountPath": "/etc/one"},
            ])
        );
        assert_eq!(layout["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(containers.as_array().unwrap().len(), 1);
    }
    assert!(mounted(&["/srv/other", "/var/lib/onedata"]).is_null());
    assert!(mounted(&[]).is_null());
}

#[test]
fn debugging_asks_for_every_detail_where_nothing_else_is_said() {
    let objects = render(&json!({"debug": true, "config": {"monitord": {"LOG/DEBUG_LEVEL": 1}}}));
    let file = find(&objects, "ConfigMap", "opennebula-overrides").text("/data/config.yaml");
    let read: Value = serde_saphyr::from_str(file).unwrap();
    assert_eq!(
        read,
        json!({
            "oned": {"LOG/DEBUG_LEVEL": 5},
            "monitord": {"LOG/DEBUG_LEVEL": 1},
            "rank": {"LOG/DEBUG_LEVEL": 5},
        })
    );
}

#[test]
fn probes_can_be_made_slower() {
    let objects = render(&json!({"probes": {"liveness": {"periodSeconds": 60}}}));
    let probe = &front_end(&objects)["livenessProbe"];
    assert_eq!(probe["periodSeconds"], 60);
    assert_eq!(probe["failureThreshold"], 6);
    assert_eq!(probe["httpGet"], json!({"path": "/livez", "port": "health"}));
}

#[test]
fn the_account_of_the_front_end_may_be_anothers() {
    let account = |values: Value| {
        find(&render(&values), "StatefulSet", "opennebula").pod().unwrap()["serviceAccountName"].clone()
    };
    assert_eq!(account(json!({})), "opennebula");
    assert_eq!(account(json!({"serviceAccount": {"create": false}})), "default");
    assert_eq!(
        account(json!({"serviceAccount": {"create": false, "name": "mine"}})),
        "mine"
    );
    let objects = render(&json!({"serviceAccount": {"create": false, "name": "mine"}}));
    assert!(try_find(&objects, "ServiceAccount", "mine").is_none());
}

fn volume<'a>(objects: &'a [chart_tests::object::Object], set: &str, name: &str) -> &'a Value {
    items(&find(objects, "StatefulSet", set).pod().unwrap()["volumes"])
        .iter()
        .find(|volume| volume["name"] == name)
        .unwrap()
}
