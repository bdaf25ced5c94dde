//! What Kubernetes, containerd or oned would refuse later is refused by the name of its value, with what to do.

use serde_json::{Value, json};

use crate::{refuses, render};

fn external(host: &str) -> Value {
    json!({"mariadb": {"enabled": false}, "externalDatabase": {"host": host, "existingSecret": "db"}})
}

#[test]
fn an_image_that_cannot_be_named_is_refused() {
    for (values, words) in [
        (
            json!({"image": {"registry": "https://registry.example.org/"}}),
            [
                "image.registry is \"https://registry.example.org/\"",
                "Write \"registry.example.org\"",
            ],
        ),
        (
            json!({"global": {"imageRegistry": "docker://mirror"}}),
            ["global.imageRegistry is \"docker://mirror\"", "no scheme"],
        ),
        (
            json!({"image": {"registry": "registry example"}}),
            ["image.registry is \"registry example\"", "must be a host name"],
        ),
        (
            json!({"image": {"repository": "team/OpenNebula:7.0"}}),
            ["image.repository is \"team/OpenNebula:7.0\"", "image.tag"],
        ),
        (
            json!({"image": {"tag": "7.0@sha256:aa"}}),
            ["image.tag is \"7.0@sha256:aa\"", "image.digest"],
        ),
        (
            json!({"image": {"repository": "docker.io/pablodelarco/opennebula"}}),
            [
                "the image would be docker.io/docker.io/pablodelarco/opennebula",
                "\"pablodelarco/opennebula\" into image.repository",
            ],
        ),
        (
            json!({"mariadb": {"image": {"registry": "http://mirror"}}}),
            ["mariadb.image.registry is \"http://mirror\"", "no scheme"],
        ),
    ] {
        refuses(&values, &words);
    }
    render(&json!({"image": {"registry": "", "repository": "registry.example.org:5000/team/one"}}));
    render(&json!({"global": {"imageRegistry": "registry.example.org:5000/mirror"}}));
    // A mirror with the name of each registry in its paths.
    render(
        &json!({"global": {"imageRegistry": "mirror.example.org"}, "image": {"repository": "docker.io/team/one"}}),
    );
}

#[test]
fn a_port_that_something_else_in_the_pod_has_is_refused() {
    for port in [
        2101, 2102, 2222, 2474, 2616, 2633, 2634, 4822, 5030, 8080, 10780, 13013,
    ] {
        refuses(
            &json!({"monitord": {"port": port}}),
            &[
                &format!("monitord.port is {port}, which is the port of"),
                "Choose another one",
            ],
        );
    }
    refuses(
        &json!({"config": {"oned": {"GRPC_PORT": 4124}}}),
        &["config.oned.GRPC_PORT is 4124, which is the port of monitord"],
    );
    refuses(
        &json!({"config": {"fireedge": {"guacd": {"port": 8080}}}}),
        &["config.fireedge.guacd.port is 8080"],
    );
    let container = json!({"name": "exporter", "image": "x", "ports": [{"containerPort": 2633}]});
    refuses(
        &json!({"extraContainers": [container]}),
        &["a port of the container exporter in extraContainers is 2633"],
    );
    render(&json!({"monitord": {"port": 4125}}));
}

#[test]
fn a_node_port_is_in_the_range_and_of_one_service() {
    refuses(
        &json!({"monitord": {"port": 4125}, "service": {"monitord": {"type": "NodePort"}}}),
        &["monitord.port is 4125: must be a node port, from 30000-32767 (service.nodePortRange"],
    );
    refuses(
        &json!({"service": {"api": {"type": "LoadBalancer", "nodePort": 29999}}}),
        &["service.api.nodePort is 29999"],
    );
    refuses(
        &json!({"service": {"type": "NodePort", "api": {"nodePort": 30080}, "fireedge": {"nodePort": 30080}}}),
        &["service.fireedge.nodePort is 30080, which is the node port in service.api.nodePort too"],
    );
    render(
        &json!({"service": {"type": "NodePort", "nodePortRange": "8000-9000", "api": {"nodePort": 8633}}}),
    );
}

#[test]
fn a_network_is_one() {
    let bad = [
        "10.0.0.0/33",
        "10.0.0.256/8",
        "2001:db8::/129",
        "1:2:3/64",
        "1::2::3/64",
    ];
    for cidr in bad {
        let words = format!("{cidr:?}: must be a network in CIDR notation");
        let block = json!([{"ipBlock": {"cidr": cidr}}]);
        for (values, name) in [
            (json!({"networkPolicy": {"web": [cidr]}}), "networkPolicy.web"),
            (
                json!({"networkPolicy": {"hypervisors": [cidr]}}),
                "networkPolicy.hypervisors",
            ),
            (
                json!({"networkPolicy": {"clients": block}}),
                "networkPolicy.clients",
            ),
            (
                json!({"networkPolicy": {"metrics": block}}),
                "networkPolicy.metrics",
            ),
            (
                json!({"networkPolicy": {"extraEgress": [{"to": block}]}}),
                "networkPolicy.extraEgress",
            ),
            (
                json!({"networkPolicy": {"extraIngress": [{"from": block}]}}),
                "networkPolicy.extraIngress",
            ),
            (
                json!({"service": {"api": {"type": "LoadBalancer", "loadBalancerSourceRanges": [cidr]}}}),
                "service.api.loadBalancerSourceRanges",
            ),
            (
                json!({"mariadb": {"metrics": {"enabled": true, "from": block}}}),
                "mariadb.metrics.from",
            ),
        ] {
            refuses(&values, &[&format!("{name} has {words}")]);
            if cidr != bad[0] {
                break;
            }
        }
    }
    render(&json!({"networkPolicy": {"web": [
        "0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:db8::/32", "fd00:ec2::254/128", "1:2:3:4:5:6:7:8/64",
    ]}}));
}

#[test]
fn a_database_in_the_pod_itself_is_refused() {
    for host in [
        "localhost",
        "LOCALHOST.",
        "127.0.0.1",
        "127.1.2.3",
        "::1",
        "0:0:0:0:0:0:0:1",
        "0.0.0.0",
    ] {
        refuses(&external(host), &[&format!("externalDatabase.host is {host:?}")]);
    }
    let mut with_proxy = external("127.0.0.1");
    with_proxy["extraContainers"] = json!([{"name": "proxy", "image": "x"}]);
    render(&with_proxy);
    with_proxy["externalDatabase"]["host"] = json!("localhost");
    refuses(&with_proxy, &["for a proxy in extraContainers that is 127.0.0.1"]);
}

#[test]
fn a_password_that_breaks_a_tool_later_is_refused() {
    refuses(
        &json!({"opennebula": {"adminPassword": "two words"}}),
        &["opennebula.adminPassword has a blank"],
    );
    for password in ["two words", "end\\", "tab\t"] {
        let values = json!({
            "mariadb": {"enabled": false}, "externalDatabase": {"host": "db", "password": password},
        });
        refuses(&values, &["externalDatabase.password has a blank, a backslash"]);
    }
}

#[test]
fn a_name_that_is_the_database_s_is_refused() {
    refuses(
        &json!({"nameOverride": "mariadb"}),
        &[
            "nameOverride is \"mariadb\"",
            "opennebula-mariadb",
            "Choose another name",
        ],
    );
    refuses(
        &json!({"fullnameOverride": "opennebula-mariadb"}),
        &["fullnameOverride is \"opennebula-mariadb\""],
    );
    refuses(
        &json!({"nameOverride": "mariadb", "fullnameOverride": "cloud"}),
        &["its Service would lead to the front-end too"],
    );
    refuses(
        &json!({"fullnameOverride": "opennebula-db", "mariadb": {"enabled": false}, "mariadbOperator": {"enabled": true}}),
        &["fullnameOverride is \"opennebula-db\""],
    );
}

#[test]
fn a_path_that_the_web_interface_cannot_have_is_refused() {
    refuses(
        &json!({"ingress": {"enabled": true, "path": "/one"}}),
        &[
            "ingress.path is \"/one\"",
            "below /fireedge alone",
            "Set ingress.path to \"/\"",
        ],
    );
    refuses(
        &json!({"ingress": {"enabled": true, "pathType": "Exact"}}),
        &["ingress.pathType is \"Exact\""],
    );
    refuses(
        &json!({"route": {"fireedge": {
            "enabled": true, "parentRefs": [{"name": "g"}], "matches": [{"path": {"type": "PathPrefix", "value": "/one"}}],
        }}}),
        &["route.fireedge.matches has the path \"/one\""],
    );
    render(&json!({"ingress": {"enabled": true, "path": "/*", "pathType": "ImplementationSpecific"}}));
    render(&json!({"ingress": {"enabled": true, "path": "/fireedge"}}));
}

#[test]
fn an_account_or_a_database_of_the_server_is_refused() {
    for user in ["root", "ROOT", "mariadb.sys"] {
        refuses(
            &json!({"mariadb": {"auth": {"username": user}}}),
            &[&format!("mariadb.auth.username is {user:?}")],
        );
    }
    let operator =
        json!({"mariadb": {"enabled": false}, "mariadbOperator": {"enabled": true, "username": "root"}});
    refuses(&operator, &["mariadbOperator.username is \"root\""]);
    refuses(
        &json!({"mariadb": {"auth": {"database": "mysql"}}}),
        &["mariadb.auth.database is \"mysql\""],
    );
    let mut values = external("db");
    values["externalDatabase"]["database"] = json!("information_schema");
    refuses(&values, &["externalDatabase.database is \"information_schema\""]);
    let mut values = external("db");
    values["externalDatabase"]["username"] = json!("root");
    render(&values);
}

#[test]
fn what_cannot_be_written_or_reached_is_refused() {
    refuses(
        &json!({"persistence": {"accessModes": ["ReadOnlyMany"]}}),
        &["persistence.accessModes is [ReadOnlyMany]", "Add ReadWriteOnce"],
    );
    refuses(
        &json!({"persistence": {"accessMode": "ReadOnlyMany"}}),
        &["persistence.accessModes is [ReadOnlyMany]"],
    );
    for address in ["0.0.0.0", "127.0.0.1", "::1", "localhost"] {
        refuses(
            &json!({"monitord": {"advertisedAddress": address}}),
            &[&format!("monitord.advertisedAddress is {address:?}")],
        );
    }
    render(&json!({"monitord": {"advertisedAddress": "192.0.2.1"}}));
}
