//! The flows with the chart's values as they are. The other variants repeat only what they change.

use super::super::Place::{
    ApiServer, AzureHost, Client, Database, FrontEnd, Hypervisor, Hypervisor6, IngressController, LinkLocal6,
    Metadata, Metadata6Aws, Metadata6Google, MetadataAlibaba, NameCache, NameServer, Neighbour,
    OtherDatabase, OtherFrontEnd, OwnNode, Prometheus, SecretsJob, Verify, Vm, Website, Website6,
};
use super::super::{Flow, Place};
use super::{pass, refuse, tcp, udp};

/// Where clouds give a machine its credentials.
pub(super) const METADATA: [Place; 6] = [
    Metadata,
    AzureHost,
    MetadataAlibaba,
    Metadata6Aws,
    Metadata6Google,
    LinkLocal6,
];

pub(super) fn flows() -> Vec<Flow> {
    [
        to_front_end(),
        from_front_end(),
        from_front_end_to_metadata(),
        of_database(),
        of_secrets_job(),
        of_verify(),
    ]
    .concat()
}

fn to_front_end() -> Vec<Flow> {
    let inside = "for the pod alone";
    vec![
        pass(Client, FrontEnd, tcp(2616), "the web interface"),
        pass(Client, FrontEnd, tcp(2633), "the API"),
        pass(Client, FrontEnd, tcp(2474), "OneFlow"),
        pass(Client, FrontEnd, tcp(5030), "OneGate"),
        pass(
            IngressController,
            FrontEnd,
            tcp(2616),
            "the web interface by host name",
        ),
        pass(Neighbour, FrontEnd, tcp(2633), "the API"),
        pass(Vm, FrontEnd, tcp(5030), "OneGate"),
        pass(Hypervisor, FrontEnd, tcp(4124), "monitoring: states of VMs"),
        pass(Hypervisor, FrontEnd, udp(4124), "monitoring: everything else"),
        pass(Hypervisor6, FrontEnd, udp(4124), "monitoring"),
        pass(
            Hypervisor,
            FrontEnd,
            tcp(2222),
            "copies of images, behind the Service's 22",
        ),
        pass(
            Neighbour,
            FrontEnd,
            tcp(8080),
            "metrics and state, in the namespace",
        ),
        pass(
            OwnNode,
            FrontEnd,
            tcp(8080),
            "kubelet's probes: the pod's node is always let through",
        ),
        refuse(
            Prometheus,
            FrontEnd,
            tcp(8080),
            "in another namespace: name it in `networkPolicy.metrics`",
        ),
        refuse(
            Client,
            FrontEnd,
            tcp(8080),
            "state and metrics are not for clients",
        ),
        refuse(
            Client,
            FrontEnd,
            tcp(2634),
            "gRPC of oned, which has no Service: `extraIngress` for a federation",
        ),
        refuse(Client, FrontEnd, tcp(2101), inside),
        refuse(Neighbour, FrontEnd, tcp(2102), inside),
        refuse(Neighbour, FrontEnd, tcp(4822), inside),
        refuse(Neighbour, FrontEnd, tcp(13013), inside),
        refuse(Neighbour, FrontEnd, tcp(10780), inside),
        refuse(Hypervisor, FrontEnd, udp(2222), "ssh is TCP"),
        refuse(Database, FrontEnd, tcp(2633), "the database calls nobody"),
    ]
}

fn from_front_end() -> Vec<Flow> {
    vec![
        pass(FrontEnd, NameServer, udp(53), "names"),
        pass(FrontEnd, NameServer, tcp(53), "names, long answers"),
        pass(FrontEnd, NameCache, udp(53), "names"),
        pass(FrontEnd, Database, tcp(3306), "the database"),
        pass(FrontEnd, Hypervisor, tcp(22), "drivers"),
        pass(FrontEnd, Hypervisor6, tcp(22), "drivers"),
        pass(
            FrontEnd,
            Hypervisor,
            tcp(5900),
            "consoles: VNC and SPICE, the first port",
        ),
        pass(
            FrontEnd,
            Hypervisor,
            tcp(65535),
            "consoles: the last port that a VM may ask for",
        ),
        pass(FrontEnd, Vm, tcp(22), "consoles: ssh to a VM"),
        pass(FrontEnd, Vm, tcp(3389), "consoles: RDP to a VM"),
        pass(FrontEnd, Website, tcp(443), "marketplaces, S3, storage systems"),
        pass(FrontEnd, Website, tcp(80), "images by http"),
        pass(FrontEnd, Website6, tcp(443), "marketplaces, S3"),
        pass(
            FrontEnd,
            ApiServer,
            tcp(6443),
            "not needed, but in the range of consoles: name your hypervisors' networks to close it",
        ),
        refuse(FrontEnd, OtherDatabase, tcp(3306), "somebody else's"),
        refuse(FrontEnd, Neighbour, tcp(5432), "nothing else in the cluster"),
        refuse(FrontEnd, ApiServer, tcp(2379), "nothing else on nodes"),
        refuse(FrontEnd, Website, tcp(25), "no mail"),
        refuse(FrontEnd, Website, udp(443), "the web is TCP"),
        refuse(FrontEnd, Hypervisor, tcp(16), "ssh and consoles only"),
        refuse(FrontEnd, Hypervisor, tcp(5899), "below the consoles"),
        refuse(FrontEnd, Database, tcp(9104), "metrics are Prometheus' business"),
    ]
}

/// By the rule for the web, and by the one for consoles.
fn from_front_end_to_metadata() -> Vec<Flow> {
    let mut flows = vec![refuse(FrontEnd, AzureHost, tcp(32526), "credentials of the node")];
    for place in METADATA {
        flows.push(refuse(FrontEnd, place, tcp(80), "credentials of the node"));
        flows.push(refuse(FrontEnd, place, tcp(8080), "nor by the rule for consoles"));
    }
    flows
}

fn of_database() -> Vec<Flow> {
    vec![
        refuse(Neighbour, Database, tcp(3306), "the front-end alone"),
        refuse(
            OtherFrontEnd,
            Database,
            tcp(3306),
            "the front-end of the same release alone",
        ),
        refuse(OtherDatabase, Database, tcp(3306), "the front-end alone"),
        refuse(IngressController, Database, tcp(3306), "the front-end alone"),
        refuse(Hypervisor, Database, tcp(3306), "the front-end alone"),
        refuse(SecretsJob, Database, tcp(3306), "the front-end alone"),
        refuse(Verify, Database, tcp(3306), "the front-end alone"),
        refuse(Neighbour, Database, tcp(9104), "the metrics are off"),
        refuse(Database, NameServer, udp(53), "the database asks for no names"),
        refuse(Database, Website, tcp(443), "the database calls nobody"),
        refuse(Database, Metadata, tcp(80), "the database calls nobody"),
    ]
}

fn of_secrets_job() -> Vec<Flow> {
    vec![
        pass(SecretsJob, ApiServer, tcp(443), "makes the Secrets"),
        pass(
            SecretsJob,
            ApiServer,
            tcp(6443),
            "the same, behind the API's Service",
        ),
        pass(SecretsJob, ApiServer, tcp(8443), "the same, minikube"),
        pass(SecretsJob, ApiServer, tcp(16443), "the same, MicroK8s"),
        pass(SecretsJob, NameServer, udp(53), "where the API has a name"),
        pass(SecretsJob, NameServer, tcp(53), "where the API has a name"),
        refuse(SecretsJob, FrontEnd, tcp(2633), "the Kubernetes API alone"),
        refuse(SecretsJob, Website, tcp(80), "the Kubernetes API alone"),
        refuse(SecretsJob, Metadata, tcp(80), "the Kubernetes API alone"),
        refuse(Neighbour, SecretsJob, tcp(8080), "nobody calls it"),
    ]
}

fn of_verify() -> Vec<Flow> {
    vec![
        pass(Verify, FrontEnd, tcp(2633), "the API"),
        pass(Verify, FrontEnd, tcp(2616), "the web interface"),
        pass(Verify, FrontEnd, tcp(2474), "OneFlow"),
        pass(Verify, FrontEnd, tcp(5030), "OneGate"),
        pass(Verify, NameServer, udp(53), "names of the Services"),
        pass(Verify, NameServer, tcp(53), "names of the Services"),
        refuse(Verify, FrontEnd, tcp(8080), "it is a client"),
        refuse(Verify, FrontEnd, tcp(2222), "it is a client"),
        refuse(Verify, ApiServer, tcp(6443), "it is a client"),
        refuse(Verify, Website, tcp(443), "it is a client"),
        refuse(Verify, OtherFrontEnd, tcp(2633), "this release's alone"),
        refuse(Neighbour, Verify, tcp(8080), "nobody calls it"),
    ]
}
