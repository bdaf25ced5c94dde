//! The ends of the flows: the release's own pods, other pods, and addresses.

use std::net::IpAddr;

/// One end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The front-end's pod.
    FrontEnd,
    /// The pod of the dependency `mariadb`.
    Database,
    /// A server of the Galera cluster that mariadb-operator runs.
    OperatorDatabase,
    /// The Job that makes Secrets.
    SecretsJob,
    /// The pod of `helm test`.
    Verify,
    /// The node on which the pod at the other end runs.
    OwnNode,
    /// Another pod in the release's namespace.
    Neighbour,
    /// The front-end of another release in the same namespace.
    OtherFrontEnd,
    /// A MariaDB of somebody else in the release's namespace.
    OtherDatabase,
    /// An ingress controller, in a namespace of its own.
    IngressController,
    /// A Prometheus, in a namespace of its own.
    Prometheus,
    /// The cluster's name server.
    NameServer,
    /// A cache of names on every node, at a link-local address.
    NameCache,
    /// The Kubernetes API, behind its Service.
    ApiServer,
    /// A user's machine.
    Client,
    /// A hypervisor.
    Hypervisor,
    /// A hypervisor with an IPv6 address.
    Hypervisor6,
    /// A virtual machine with an address of its own.
    Vm,
    /// A database server outside.
    ExternalDatabase,
    /// The same with an IPv6 address.
    ExternalDatabase6,
    /// A marketplace or an S3 store.
    Website,
    /// One with an IPv6 address.
    Website6,
    /// Another one, in no list.
    OtherWebsite,
    /// A directory server.
    Directory,
    /// The front-end of another zone.
    OtherZone,
    /// The credentials of a cloud's machine: AWS, Google, Azure, OpenStack and others.
    Metadata,
    /// The same of AWS, by IPv6.
    Metadata6Aws,
    /// The same of Google, by IPv6.
    Metadata6Google,
    /// The agent of Azure's host.
    AzureHost,
    /// The same of Alibaba.
    MetadataAlibaba,
    /// A link-local IPv6 address.
    LinkLocal6,
}

/// A pod that the chart does not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger {
    /// Its name.
    pub name: &'static str,
    /// `None`: the release's own.
    pub namespace: Option<&'static str>,
    /// Its labels.
    pub labels: &'static [(&'static str, &'static str)],
    /// An address for it, where nothing real gives one.
    pub address: IpAddr,
}

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";

impl Place {
    /// As the documentation calls it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::FrontEnd => "front-end",
            Self::Database => "database",
            Self::OperatorDatabase => "database of mariadb-operator",
            Self::SecretsJob => "Secrets Job",
            Self::Verify => "`helm test`",
            Self::OwnNode => "the pod's node",
            Self::Neighbour => "pod in the namespace",
            Self::OtherFrontEnd => "front-end of another release in the namespace",
            Self::OtherDatabase => "somebody else's MariaDB in the namespace",
            Self::IngressController => "ingress controller in its namespace",
            Self::Prometheus => "Prometheus in its namespace",
            Self::NameServer => "name server",
            Self::NameCache => "name cache on the node (169.254.20.10)",
            Self::ApiServer => "Kubernetes API",
            Self::Client => "user's machine",
            Self::Hypervisor => "hypervisor",
            Self::Hypervisor6 => "hypervisor by IPv6",
            Self::Vm => "VM",
            Self::ExternalDatabase => "external database",
            Self::ExternalDatabase6 => "external database by IPv6",
            Self::Website => "marketplace, S3",
            Self::Website6 => "marketplace, S3 by IPv6",
            Self::OtherWebsite => "web address that is not listed",
            Self::Directory => "LDAP server",
            Self::OtherZone => "front-end of another zone",
            Self::Metadata => "cloud metadata (169.254.169.254)",
            Self::Metadata6Aws => "AWS metadata (fd00:ec2::254)",
            Self::Metadata6Google => "Google metadata (fd20:ce::254)",
            Self::AzureHost => "Azure's host agent (168.63.129.16)",
            Self::MetadataAlibaba => "Alibaba metadata (100.100.100.200)",
            Self::LinkLocal6 => "link-local IPv6 address",
        }
    }

    /// The pod of somebody else that it is.
    #[must_use]
    pub fn stranger(self) -> Option<Stranger> {
        let pod = |name, namespace, labels, last| {
            Some(Stranger {
                name,
                namespace,
                labels,
                address: IpAddr::from([10, 244, 1, last]),
            })
        };
        match self {
            Self::Neighbour => pod("neighbour", None, &[(NAME, "neighbour")], 21),
            Self::OtherFrontEnd => pod(
                "other-front-end",
                None,
                &[
                    (NAME, "opennebula"),
                    (INSTANCE, "other"),
                    (COMPONENT, "front-end"),
                ],
                22,
            ),
            Self::OtherDatabase => pod(
                "other-database",
                None,
                &[(NAME, "mariadb"), (INSTANCE, "other")],
                23,
            ),
            Self::IngressController => pod(
                "controller",
                Some("ingress-nginx"),
                &[(NAME, "ingress-nginx"), (COMPONENT, "controller")],
                24,
            ),
            Self::Prometheus => pod("prometheus", Some("monitoring"), &[(NAME, "prometheus")], 25),
            Self::NameServer => pod("coredns", Some("kube-system"), &[("k8s-app", "kube-dns")], 26),
            _ => None,
        }
    }

    /// The address that it is, of the ranges for documentation where it may be any.
    #[must_use]
    pub fn address(self) -> Option<IpAddr> {
        Some(match self {
            Self::NameCache => IpAddr::from([169, 254, 20, 10]),
            Self::ApiServer => IpAddr::from([172, 18, 0, 2]),
            Self::Client => IpAddr::from([198, 51, 100, 7]),
            Self::Hypervisor => IpAddr::from([192, 0, 2, 11]),
            Self::Hypervisor6 => IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x11]),
            Self::Vm => IpAddr::from([198, 51, 100, 131]),
            Self::ExternalDatabase => IpAddr::from([198, 51, 100, 33]),
            Self::ExternalDatabase6 => IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x33]),
            Self::Website => IpAddr::from([203, 0, 113, 80]),
            Self::Website6 => IpAddr::from([0x2001, 0xdb8, 3, 0, 0, 0, 0, 0x80]),
            Self::OtherWebsite => IpAddr::from([198, 51, 100, 80]),
            Self::Directory => IpAddr::from([198, 51, 100, 53]),
            Self::OtherZone => IpAddr::from([198, 51, 100, 26]),
            Self::Metadata => IpAddr::from([169, 254, 169, 254]),
            Self::Metadata6Aws => IpAddr::from([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),
            Self::Metadata6Google => IpAddr::from([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),
            Self::AzureHost => IpAddr::from([168, 63, 129, 16]),
            Self::MetadataAlibaba => IpAddr::from([100, 100, 100, 200]),
            Self::LinkLocal6 => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]),
            _ => return None,
        })
    }
}
