//! The configuration of the servers around oned, which is YAML. Sources: the files themselves and, for what is not in
//! them, the servers (`src/flow`, `src/onegate`, `src/hem`, `src/form`, `src/oneks`, `src/fireedge`).

use super::Line::{V7_2, V7_4};
use super::{Form, Key, Kind, key, word};

const ONED: &str = "URL of oned's API";
const LOG_LEVEL: Kind = Kind::whole(0, 3);
const LOG_DETAIL: &str = "Detail of the log: 0 errors, 1 warnings, 2 information, 3 everything";
const LOG_SYSTEM: Kind = Kind::OneOf(&["file", "syslog"]);
const LOG_PLACE: &str = "Where the log goes";
const FOLLOWED: &str = "the pod's log follows the file";
const REACHED: &str = "it listens on every address of the pod, where the pod's Services reach it";
const WITHIN: &str = "it listens inside the pod alone, where FireEdge and oned reach it";
const PROBED: &str = "the pod's probe and its Services expect it at this port";
const EVENTS: &str = "Address of oned's events";
const CORE_AUTH: Kind = Kind::OneOf(&["cipher", "x509"]);
const CORE_AUTH_IS: &str = "How it logs in at oned: by serveradmin's secret or by a certificate";
const ENDPOINT: Kind = Kind::Form(Form {
    words: "tcp:// with host and port",
    pattern: "^tcp://[^ /]+:[0-9]+$",
    fits: |text| {
        let parts = text.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
        parts.is_some_and(|(host, port)| {
            !host.is_empty()
                && !host.contains([' ', '/'])
                && !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
        })
    },
});

// A table: one line a key.
#[rustfmt::skip]
pub(super) const ONEFLOW: &[Key] = &[
    key("one_xmlrpc", Kind::Url, "http://localhost:2633/RPC2", ONED),
    key("subscriber_endpoint", ENDPOINT, "tcp://localhost:2101", EVENTS),
    key("autoscaler_interval", Kind::MORE, "90", "Seconds between two looks at the scaling rules"),
    key("host", Kind::Address, "127.0.0.1", "Address of the API").decided(REACHED),
    key("port", Kind::PORT, "2474", "Port of the API").decided(PROBED),
    key("force_deletion", Kind::Switch, "false", "Ending a service cuts the power of its machines"),
    key("retries", Kind::COUNT, "5", "Attempts of a call that fails to log in"),
    key("default_cooldown", Kind::COUNT, "300", "Seconds of rest after a role was scaled"),
    key("wait_timeout", Kind::MORE, "30", "Seconds to wait for the state of a machine"),
    key("concurrency", Kind::MORE, "10", "Threads that act on services"),
    key("shutdown_action", Kind::OneOf(&["terminate", "terminate-hard"]), "terminate", "How machines of a service end"),
    key("action_number", Kind::MORE, "1", "Machines of a role that an action reaches in each period"),
    key("action_period", Kind::MORE, "60", "Seconds of such a period"),
    key("vm_name_template", Kind::Text, "$ROLE_NAME_$VM_NUMBER_(service_$SERVICE_ID)", "Names of the machines of a service"),
    word("vn_name_template", Kind::Text, "$ROLE_NAME(service_$SERVICE_ID)", "Names of the networks of a service"),
    word("vr_name_template", Kind::Text, "made from role and service", "Names of the virtual routers of a service"),
    key("page_size", Kind::MORE, "10", "Services that are looked at in one step when old ones are removed"),
    key("core_auth", CORE_AUTH, "cipher", CORE_AUTH_IS),
    key("log/level", LOG_LEVEL, "2", LOG_DETAIL),
    key("log/system", LOG_SYSTEM, "file", LOG_PLACE).decided(FOLLOWED),
];

// A table: one line a key.
#[rustfmt::skip]
pub(super) const ONEGATE: &[Key] = &[
    key("one_xmlrpc", Kind::Url, "http://localhost:2633/RPC2", ONED),
    key("host", Kind::Address, "127.0.0.1", "Address of the API").until(V7_2).decided(REACHED),
    key("port", Kind::PORT, "5030", "Port of the API").until(V7_2).decided(PROBED),
    key("server/bind", Kind::Address, "127.0.0.1", "Address of the API").since(V7_4).decided(REACHED),
    key("server/port", Kind::PORT, "5030", "Port of the API").since(V7_4).decided(PROBED),
    word("ssl_server", Kind::Url, "", "URL of the proxy that serves OneGate by TLS"),
    key("log/level", LOG_LEVEL, "2", LOG_DETAIL),
    key("log/system", LOG_SYSTEM, "file", LOG_PLACE).decided(FOLLOWED),
    key("auth", Kind::OneOf(&["onegate"]), "onegate", "How virtual machines log in: by the token of their context"),
    key("core_auth", CORE_AUTH, "cipher", CORE_AUTH_IS),
    key("oneflow_server", Kind::Url, "http://localhost:2474", "URL of OneFlow"),
    word("permissions", Kind::Keys(&Kind::Keys(&Kind::Switch)), "everything", "What virtual machines may do, for example permissions/vm/update"),
    word("restricted_attrs", Kind::List, "SCHED_REQUIREMENTS, SERVICE_ID, ROLE_NAME", "Attributes that a virtual machine cannot change of itself"),
    word("vnet_template_attributes", Kind::List, "the vendor's list", "Attributes of a network that a virtual machine sees"),
    word("restricted_actions", Kind::List, "none", "Actions that a virtual machine cannot take on itself"),
];

// A table: one line a key.
#[rustfmt::skip]
pub(super) const ONEHEM: &[Key] = &[
    key("debug_level", LOG_LEVEL, "2", LOG_DETAIL),
    key("hook_base_path", Kind::Text, "/var/lib/one/remotes/hooks", "Directory of hooks that are given without one"),
    key("remote_hook_base_path", Kind::Text, "/var/tmp/one/hooks", "The same on hypervisors"),
    key("subscriber_endpoint", ENDPOINT, "tcp://localhost:2101", EVENTS),
    key("replier_endpoint", ENDPOINT, "tcp://localhost:2102", "Address that takes the results of hooks"),
    key("concurrency", Kind::MORE, "10", "Hooks that run at the same time"),
];

// A table: one line a key.
#[rustfmt::skip]
pub(super) const ONEFORM: &[Key] = &[
    key("one_xmlrpc", Kind::Url, "http://localhost:2633/RPC2", ONED).since(V7_2),
    key("host", Kind::Address, "127.0.0.1", "Address of the API").since(V7_2).decided(WITHIN),
    key("port", Kind::PORT, "13013", "Port of the API").since(V7_2).decided(PROBED),
    key("work_dir", Kind::Text, "/tmp/oneform/", "Directory of the files of each provision; onepod sets /var/lib/one/oneform/, on the volume").since(V7_2),
    key("onedeploy_tags", Kind::Text, "stage2,stage3,network", "Stages of the deployment, separated by commas").since(V7_2),
    key("auth", Kind::Text, "opennebula", "How users log in").since(V7_2),
    key("core_auth", CORE_AUTH, "cipher", CORE_AUTH_IS).since(V7_2),
    key("expire_delta", Kind::MORE, "3600", "Seconds that a login token lives").since(V7_2),
    key("log/level", LOG_LEVEL, "2", LOG_DETAIL).since(V7_2),
    key("log/system", LOG_SYSTEM, "file", LOG_PLACE).since(V7_2).decided(FOLLOWED),
];

// A table: one line a key.
#[rustfmt::skip]
pub(super) const ONEKS: &[Key] = &[
    key("one_xmlrpc", Kind::Url, "http://localhost:2633/RPC2", ONED).since(V7_4),
    key("one_xmlrpc_tproxy", Kind::Url, "http://169.254.16.9:2633/RPC2", "URL of oned's API as workloads reach it").since(V7_4),
    key("server/environment", Kind::Text, "production", "Mode of the web framework").since(V7_4),
    key("server/bind", Kind::Address, "127.0.0.1", "Address of the API").since(V7_4).decided(WITHIN),
    key("server/port", Kind::PORT, "10780", "Port of the API").since(V7_4).decided(PROBED),
    key("subscriber_endpoint", ENDPOINT, "tcp://localhost:2101", EVENTS).since(V7_4),
    key("subscriber_timeout", Kind::MORE, "10", "Seconds to wait for an event").since(V7_4),
    key("kubectl_path", Kind::Text, "/var/lib/rancher/rke2/bin/kubectl", "kubectl in the machines of a cluster").since(V7_4),
    key("kubeconfig_path", Kind::Text, "/etc/rancher/rke2/rke2.yaml", "kubeconfig in the machines of a cluster").since(V7_4),
    key("k8s_timeout", Kind::MORE, "15", "Seconds to wait for a command").since(V7_4),
    key("readiness/external_url", Kind::Url, "https://get.rke2.io", "URL by which a machine's way to the Internet is tried").since(V7_4),
    key("readiness/timeout", Kind::MORE, "60", "Seconds to wait for each try").since(V7_4),
    key("retries", Kind::COUNT, "5", "Attempts of a call").since(V7_4),
    key("default_cooldown", Kind::COUNT, "300", "Seconds of rest after a cluster was scaled").since(V7_4),
    key("concurrency", Kind::MORE, "10", "Threads that act on clusters").since(V7_4),
    key("base_name", Kind::Text, "oneks", "What names of created objects begin with").since(V7_4),
    key("auth", Kind::Text, "opennebula", "How users log in").since(V7_4),
    key("core_auth", CORE_AUTH, "cipher", CORE_AUTH_IS).since(V7_4),
    key("expire_delta", Kind::MORE, "3600", "Seconds that a login token lives").since(V7_4),
    key("log/level", LOG_LEVEL, "3", LOG_DETAIL).since(V7_4),
    key("log/system", LOG_SYSTEM, "file", LOG_PLACE).since(V7_4).decided(FOLLOWED),
];

// A table: one line a key.
#[rustfmt::skip]
pub(super) const FIREEDGE: &[Key] = &[
    key("log", Kind::OneOf(&["prod", "dev"]), "prod", "Form of the request log"),
    key("cors", Kind::Switch, "true", "Answer pages of other origins"),
    key("host", Kind::Address, "0.0.0.0", "Address of the web interface").decided(REACHED),
    key("port", Kind::PORT, "2616", "Port of the web interface").decided(PROBED),
    key("one_xmlrpc", Kind::Url, "http://localhost:2633/RPC2", ONED),
    key("oneflow_server", Kind::Url, "http://localhost:2474", "URL of OneFlow"),
    key("oneform_server", Kind::Url, "http://localhost:13013/api/v1", "URL of OneForm").since(V7_2),
    word("oneks_server", Kind::Url, "http://localhost:10780/api/v1", "URL of OneKS").since(V7_4),
    key("session_expiration", Kind::MORE, "180", "Minutes that a login lives"),
    key("session_remember_expiration", Kind::MORE, "3600", "Minutes that a login lives when the user wants to stay logged in"),
    key("minimum_opennebula_expiration", Kind::MORE, "30", "Minutes that an earlier login must still have to be used again"),
    key("subscriber_endpoint", ENDPOINT, "tcp://localhost:2101", EVENTS),
    key("debug_level", Kind::whole(0, 5), "2", "Detail of the log: 0 errors, 1 warnings, 2 information, 5 everything"),
    key("truncate_max_length", Kind::whole(-1, i32::MAX as i64), "150", "Characters after which a log message is cut; -1 for never"),
    word("api_timeout", Kind::MORE, "120000", "Milliseconds to wait for an answer of the API"),
    key("guacd/port", Kind::PORT, "4822", "Port of guacd"),
    key("guacd/host", Kind::Address, "localhost", "Host of guacd"),
    key("default_zone/id", Kind::COUNT, "0", "Number of this zone in a federation"),
    key("default_zone/name", Kind::Text, "OpenNebula", "Name of this zone"),
    key("default_zone/endpoint", Kind::Url, "http://localhost:2633/RPC2", "URL of this zone's API"),
    key("auth", Kind::OneOf(&["opennebula", "remote"]), "opennebula", "How users log in: by OpenNebula, or by a header of a proxy in front"),
    word("auth_redirect", Kind::Text, "", "Where the login button leads"),
];

const TRUE_OR_FALSE: Kind = Kind::OneOf(&["true", "false"]);

// A table: one line a key.
#[rustfmt::skip]
pub(super) const SUNSTONE: &[Key] = &[
    key("support_url", Kind::Url, "https://opennebula.zendesk.com/api/v2", "URL of the vendor's support"),
    key("sunstone_prepend", Kind::Text, "", "What stands before the commands that it runs"),
    key("tmpdir", Kind::Text, "/var/tmp", "Directory of images while they are uploaded"),
    key("max_upload_file_size", Kind::whole(1, i64::MAX), "10737418240", "Longest upload in bytes"),
    word("proxy", Kind::Text, "", "HTTP proxy to the support and the marketplaces"),
    word("token_remote_support", Kind::Text, "", "The vendor's support token").secret(),
    key("enforce_2fa", Kind::Switch, "false", "Every user needs a second factor").since(V7_2),
    key("keep_me_logged", Kind::Switch, "true", "Offer to stay logged in"),
    word("leases", Kind::Any, "terminate after two weeks", "Actions that are proposed for new machines, for example leases/terminate/execute_after_weeks"),
    word("supported_fs", Kind::List, "ext4, ext3, ext2, xfs", "File systems that are offered"),
    word("use_extended_vmpool", Kind::Switch, "true", "Ask oned for whole machines in lists"),
    key("currency", Kind::Text, "EUR", "Currency of costs, as ISO 4217 has it"),
    key("default_lang", Kind::Text, "en", "Language before a user chooses one"),
    word("langs", Kind::Keys(&Kind::Text), "the vendor's list, to which is added", "Languages that are offered, for example langs/ja"),
    word("currentTimeZone", Kind::Text, "the browser's", "Time zone of dates, for example Europe/Madrid"),
    key("rowStyle", Kind::OneOf(&["card", "list"]), "card", "Look of tables"),
    word("fullViewMode", TRUE_OR_FALSE, "false", "Show an object over the whole page"),
];
