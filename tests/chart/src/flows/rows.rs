//! The table itself. A rule that no row needs does not belong into the chart: the tests take every rule away in turn, and
//! some row must notice.

mod defaults;
mod values;

use serde_json::{Value, json};

use super::Place::{
    ApiServer, Client, Database, Directory, ExternalDatabase, ExternalDatabase6, FrontEnd, Hypervisor,
    Hypervisor6, IngressController, NameServer, Neighbour, OperatorDatabase, OtherDatabase, OtherFrontEnd,
    OtherWebsite, OtherZone, OwnNode, Prometheus, SecretsJob, Verify, Vm, Website,
};
use super::{Flow, Place, Protocol, Variant, Verdict};

/// All variants, the values as they are first.
#[must_use]
pub fn variants() -> Vec<Variant> {
    vec![
        variant("The values as they are", json!({}), defaults::flows()),
        variant("Networks and peers named", values::tight(&json!({})), named()),
        variant(
            "monitord behind a load balancer",
            values::discovery(),
            load_balancer(),
        ),
        variant("monitord on a node port", values::node_port(), node_port()),
        variant(
            "An external database by address",
            values::external("198.51.100.33"),
            by_address(ExternalDatabase),
        ),
        variant(
            "An external database by IPv6 address",
            values::external("2001:db8:2::33"),
            by_address(ExternalDatabase6),
        ),
        variant(
            "An external database by name",
            values::external("mysql.example.org"),
            by_name(),
        ),
        variant("A database of mariadb-operator", values::operator(), operator()),
        variant(
            "Metrics of the database",
            json!({"mariadb": {"metrics": {"enabled": true}}}),
            database_metrics(),
        ),
        variant(
            "Metrics of the database for named peers",
            json!({"mariadb": {"metrics": {"enabled": true, "from": [values::prometheus()]}}}),
            database_metrics_for_peers(),
        ),
        variant(
            "Without the database's policy",
            json!({"mariadb": {"networkPolicy": {"enabled": false}}}),
            open_database(),
        ),
        variant("Rules of your own", values::extra(), extra()),
        variant(
            "Without the web interface, OneFlow and OneGate",
            json!({"fireedge": {"enabled": false}, "oneflow": {"enabled": false}, "onegate": {"enabled": false}}),
            api_alone(),
        ),
        variant(
            "Without hypervisors and the web",
            json!({"networkPolicy": {"hypervisors": [], "web": []}}),
            nothing_outside(),
        ),
        variant(
            "On OpenShift",
            json!({"global": {"openshift": {"enabled": true}}}),
            openshift(),
        ),
        variant(
            "Without policies",
            json!({"networkPolicy": {"enabled": false}, "mariadb": {"networkPolicy": {"enabled": false}}}),
            without_policies(),
        ),
    ]
}

fn variant(title: &'static str, values: Value, flows: Vec<Flow>) -> Variant {
    Variant { title, values, flows }
}

fn named() -> Vec<Flow> {
    vec![
        pass(IngressController, FrontEnd, tcp(2616), "named as a client"),
        pass(
            IngressController,
            FrontEnd,
            tcp(2633),
            "a client has every port for clients",
        ),
        pass(Verify, FrontEnd, tcp(2633), "the test is always a client"),
        pass(Verify, FrontEnd, tcp(2616), "the same"),
        pass(Verify, FrontEnd, tcp(2474), "the same"),
        pass(Verify, FrontEnd, tcp(5030), "the same"),
        pass(Hypervisor, FrontEnd, tcp(4124), "monitoring: states of VMs"),
        pass(Hypervisor, FrontEnd, udp(4124), "monitoring: everything else"),
        pass(Hypervisor, FrontEnd, tcp(2222), "copies of images"),
        pass(
            Hypervisor,
            FrontEnd,
            tcp(5030),
            "VMs that come through it to OneGate",
        ),
        pass(Prometheus, FrontEnd, tcp(8080), "named for the metrics"),
        pass(OwnNode, FrontEnd, tcp(8080), "kubelet's probes"),
        pass(FrontEnd, Hypervisor, tcp(22), "drivers"),
        pass(FrontEnd, Hypervisor, tcp(5900), "consoles: VNC"),
        pass(FrontEnd, Hypervisor, tcp(3389), "RDP through a hypervisor"),
        pass(FrontEnd, Website, tcp(443), "in the list"),
        pass(FrontEnd, Website, tcp(80), "in the list"),
        refuse(
            IngressController,
            FrontEnd,
            tcp(2222),
            "a client has no other port",
        ),
        refuse(Prometheus, FrontEnd, tcp(2633), "metrics only"),
        refuse(Client, FrontEnd, tcp(2616), "the Ingress is the way in"),
        refuse(Client, FrontEnd, tcp(2633), "not named"),
        refuse(Neighbour, FrontEnd, tcp(2633), "not named"),
        refuse(Neighbour, FrontEnd, tcp(8080), "not named"),
        refuse(Client, FrontEnd, tcp(4124), "no hypervisor"),
        refuse(Client, FrontEnd, udp(4124), "no hypervisor"),
        refuse(Client, FrontEnd, tcp(2222), "no hypervisor"),
        refuse(Vm, FrontEnd, tcp(5030), "a VM with an address in no list"),
        refuse(Hypervisor, FrontEnd, tcp(2633), "hypervisors call nothing else"),
        refuse(FrontEnd, Vm, tcp(22), "an address in no list"),
        refuse(FrontEnd, Hypervisor, tcp(2049), "nodes mount volumes, not pods"),
        refuse(FrontEnd, Website, tcp(22), "no hypervisor"),
        refuse(FrontEnd, ApiServer, tcp(443), "the front-end does not need it"),
        refuse(FrontEnd, ApiServer, tcp(6443), "the same"),
        refuse(FrontEnd, OtherWebsite, tcp(443), "an address in no list"),
        refuse(FrontEnd, Neighbour, tcp(8080), "an address in no list"),
    ]
}

fn load_balancer() -> Vec<Flow> {
    vec![
        pass(
            FrontEnd,
            ApiServer,
            tcp(443),
            "the init container asks for the load balancer's address",
        ),
        pass(
            FrontEnd,
            ApiServer,
            tcp(6443),
            "the same, behind the API's Service",
        ),
        pass(FrontEnd, ApiServer, tcp(8443), "the same, minikube"),
        pass(FrontEnd, ApiServer, tcp(16443), "the same, MicroK8s"),
        pass(
            FrontEnd,
            OtherWebsite,
            tcp(443),
            "no selector finds the API: these ports are open to every address",
        ),
        refuse(FrontEnd, OtherWebsite, tcp(80), "an address in no list"),
        refuse(FrontEnd, ApiServer, tcp(10250), "kubelet is not the API"),
    ]
}

fn node_port() -> Vec<Flow> {
    vec![
        pass(Hypervisor, FrontEnd, tcp(30124), "the port follows monitord.port"),
        pass(Hypervisor, FrontEnd, udp(30124), "the same"),
        pass(Hypervisor, FrontEnd, tcp(2222), "copies of images"),
        pass(
            Hypervisor,
            FrontEnd,
            tcp(5030),
            "VMs that come through it to OneGate",
        ),
        refuse(Client, FrontEnd, tcp(30124), "no hypervisor"),
        refuse(Hypervisor, FrontEnd, tcp(4124), "not the port any more"),
        refuse(Hypervisor, FrontEnd, udp(4124), "the same"),
        refuse(
            FrontEnd,
            ApiServer,
            tcp(2379),
            "the node's address is known without the API",
        ),
    ]
}

fn by_address(database: Place) -> Vec<Flow> {
    vec![
        pass(FrontEnd, database, tcp(3307), "the database"),
        refuse(FrontEnd, database, tcp(3306), "another port"),
        refuse(FrontEnd, OtherWebsite, tcp(3307), "another address"),
        refuse(FrontEnd, OtherDatabase, tcp(3307), "another address"),
        refuse(FrontEnd, Directory, tcp(3307), "another address"),
    ]
}

fn by_name() -> Vec<Flow> {
    vec![
        pass(FrontEnd, ExternalDatabase, tcp(3307), "the database"),
        pass(FrontEnd, ExternalDatabase6, tcp(3307), "the database"),
        pass(
            FrontEnd,
            Directory,
            tcp(3307),
            "a policy knows no names: this port is open to every address",
        ),
        refuse(FrontEnd, ExternalDatabase, tcp(3306), "another port"),
    ]
}

fn operator() -> Vec<Flow> {
    vec![
        pass(FrontEnd, OperatorDatabase, tcp(3306), "the database"),
        pass(
            SecretsJob,
            ApiServer,
            tcp(6443),
            "makes the database's Secret too",
        ),
        refuse(FrontEnd, OtherDatabase, tcp(3306), "somebody else's"),
        refuse(FrontEnd, OperatorDatabase, tcp(4567), "Galera's own"),
    ]
}

fn database_metrics() -> Vec<Flow> {
    vec![
        pass(Neighbour, Database, tcp(9104), "metrics, in the namespace"),
        refuse(Prometheus, Database, tcp(9104), "in another namespace: name it"),
        refuse(Neighbour, Database, tcp(3306), "metrics only"),
    ]
}

fn database_metrics_for_peers() -> Vec<Flow> {
    vec![
        pass(Prometheus, Database, tcp(9104), "named for the metrics"),
        refuse(Neighbour, Database, tcp(9104), "not named"),
        refuse(Prometheus, Database, tcp(3306), "metrics only"),
        refuse(
            Prometheus,
            FrontEnd,
            tcp(8080),
            "the front-end has a list of its own",
        ),
    ]
}

fn open_database() -> Vec<Flow> {
    vec![
        pass(Neighbour, Database, tcp(3306), "nobody refuses"),
        pass(FrontEnd, Database, tcp(3306), "the database"),
        refuse(
            FrontEnd,
            Database,
            tcp(3307),
            "the front-end's own policy: the database's port alone",
        ),
    ]
}

fn extra() -> Vec<Flow> {
    vec![
        pass(
            OtherZone,
            FrontEnd,
            tcp(2634),
            "gRPC among the zones of a federation",
        ),
        pass(
            FrontEnd,
            OtherZone,
            tcp(2633),
            "XML-RPC among the zones of a federation",
        ),
        pass(
            FrontEnd,
            OtherZone,
            tcp(2634),
            "gRPC among the zones of a federation",
        ),
        pass(FrontEnd, Directory, tcp(636), "logins by LDAP"),
        pass(Neighbour, Database, tcp(3306), "a backup of the database"),
        refuse(Client, FrontEnd, tcp(2634), "no zone"),
        refuse(FrontEnd, Directory, tcp(389), "another port"),
        refuse(FrontEnd, Website, tcp(636), "no directory"),
        refuse(FrontEnd, Website, tcp(2633), "no zone"),
        refuse(FrontEnd, OtherZone, tcp(25), "another port"),
        refuse(OtherZone, FrontEnd, tcp(2101), "another port"),
        refuse(Neighbour, Database, tcp(9104), "another port"),
        refuse(OtherDatabase, Database, tcp(3306), "no backup"),
    ]
}

fn api_alone() -> Vec<Flow> {
    let mut flows = vec![
        pass(Client, FrontEnd, tcp(2633), "the API"),
        pass(Verify, FrontEnd, tcp(2633), "the API"),
        pass(FrontEnd, Hypervisor, tcp(22), "drivers"),
        pass(FrontEnd, Hypervisor6, tcp(22), "drivers"),
        refuse(Client, FrontEnd, tcp(2616), "off"),
        refuse(Client, FrontEnd, tcp(2474), "off"),
        refuse(Client, FrontEnd, tcp(5030), "off"),
        refuse(Verify, FrontEnd, tcp(2222), "the test is a client"),
        refuse(Verify, OtherFrontEnd, tcp(2633), "this release's alone"),
        refuse(
            FrontEnd,
            Hypervisor,
            tcp(5900),
            "consoles are the web interface's",
        ),
        refuse(FrontEnd, Vm, tcp(3389), "the same"),
    ];
    for place in defaults::METADATA {
        flows.push(refuse(FrontEnd, place, tcp(22), "nor by the rule for drivers"));
    }
    flows
}

fn nothing_outside() -> Vec<Flow> {
    vec![
        pass(Client, FrontEnd, tcp(2616), "the web interface"),
        pass(FrontEnd, Database, tcp(3306), "the database"),
        refuse(Hypervisor, FrontEnd, udp(4124), "an empty list is nobody"),
        refuse(Hypervisor, FrontEnd, tcp(2222), "an empty list is nobody"),
        refuse(FrontEnd, Hypervisor, tcp(22), "an empty list is nobody"),
        refuse(FrontEnd, Website, tcp(443), "an empty list is nothing"),
    ]
}

fn openshift() -> Vec<Flow> {
    let mut flows = Vec::new();
    for from in [FrontEnd, SecretsJob, Verify] {
        flows.push(pass(from, NameServer, udp(5353), "its name servers listen there"));
        flows.push(pass(from, NameServer, tcp(5353), "the same, long answers"));
        flows.push(pass(from, NameServer, udp(53), "the same, behind no Service"));
        flows.push(pass(from, NameServer, tcp(53), "the same, behind no Service"));
        flows.push(refuse(from, NameServer, udp(5354), "names only"));
    }
    flows.push(refuse(
        Database,
        NameServer,
        udp(5353),
        "the database asks for no names",
    ));
    flows
}

fn without_policies() -> Vec<Flow> {
    vec![
        pass(Client, FrontEnd, tcp(2101), "nobody refuses"),
        pass(Prometheus, FrontEnd, tcp(8080), "nobody refuses"),
        pass(Neighbour, Database, tcp(3306), "nobody refuses"),
        pass(FrontEnd, Place::Metadata, tcp(80), "nobody refuses"),
        pass(Database, Website, tcp(443), "nobody refuses"),
        pass(SecretsJob, Website, tcp(80), "nobody refuses"),
        pass(Verify, Website, tcp(443), "nobody refuses"),
    ]
}

type Port = (Protocol, u16);

fn tcp(number: u16) -> Port {
    (Protocol::Tcp, number)
}

fn udp(number: u16) -> Port {
    (Protocol::Udp, number)
}

fn pass(from: Place, to: Place, port: Port, why: &'static str) -> Flow {
    flow(from, to, port, Verdict::Passes, why)
}

fn refuse(from: Place, to: Place, port: Port, why: &'static str) -> Flow {
    flow(from, to, port, Verdict::Refused, why)
}

fn flow(from: Place, to: Place, (protocol, port): Port, verdict: Verdict, why: &'static str) -> Flow {
    Flow {
        from,
        to,
        protocol,
        port,
        verdict,
        why,
    }
}
