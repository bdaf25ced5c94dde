//! Bodies of OpenNebula objects: the elements and their order as in the recorded answers.

use crate::template::Template;
use crate::xml::Element;

/// What a pool is called in tables, XML and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The part of the method name: `host` in `one.host.info`.
    pub(crate) call: &'static str,
    /// Table name.
    pub(crate) table: &'static str,
    /// Root element of one object.
    pub(crate) root: &'static str,
    /// Root element of a pool answer.
    pub(crate) pool: &'static str,
    /// The name in error messages.
    pub(crate) said: &'static str,
}

macro_rules! kinds {
    ($($name:ident: $call:literal $table:literal $root:literal $pool:literal $said:literal;)*) => {
        $(#[doc = $said] pub(crate) const $name: Kind =
            Kind { call: $call, table: $table, root: $root, pool: $pool, said: $said };)*
        /// Every kind that has info and pool calls.
        pub(crate) const ALL: &[Kind] = &[$($name),*];
    };
}

kinds! {
    USER: "user" "user_pool" "USER" "USER_POOL" "user";
    GROUP: "group" "group_pool" "GROUP" "GROUP_POOL" "group";
    HOST: "host" "host_pool" "HOST" "HOST_POOL" "host";
    VM: "vm" "vm_pool" "VM" "VM_POOL" "virtual machine";
    TEMPLATE: "template" "template_pool" "VMTEMPLATE" "VMTEMPLATE_POOL" "virtual machine template";
    DATASTORE: "datastore" "datastore_pool" "DATASTORE" "DATASTORE_POOL" "datastore";
    CLUSTER: "cluster" "cluster_pool" "CLUSTER" "CLUSTER_POOL" "cluster";
    IMAGE: "image" "image_pool" "IMAGE" "IMAGE_POOL" "image";
    NETWORK: "vn" "network_pool" "VNET" "VNET_POOL" "virtual network";
    NETWORK_TEMPLATE: "vntemplate" "vn_template_pool" "VNTEMPLATE" "VNTEMPLATE_POOL" "virtual network template";
    DOCUMENT: "document" "document_pool" "DOCUMENT" "DOCUMENT_POOL" "document";
    ZONE: "zone" "zone_pool" "ZONE" "ZONE_POOL" "zone";
    SECURITY_GROUP: "secgroup" "secgroup_pool" "SECURITY_GROUP" "SECURITY_GROUP_POOL" "security group";
    VDC: "vdc" "vdc_pool" "VDC" "VDC_POOL" "VDC";
    VROUTER: "vrouter" "vrouter_pool" "VROUTER" "VROUTER_POOL" "virtual router";
    MARKET: "market" "marketplace_pool" "MARKETPLACE" "MARKETPLACE_POOL" "marketplace";
    APP: "marketapp" "marketplaceapp_pool" "MARKETPLACEAPP" "MARKETPLACEAPP_POOL" "marketplace app";
    VM_GROUP: "vmgroup" "vmgroup_pool" "VM_GROUP" "VM_GROUP_POOL" "VM group";
    HOOK: "hook" "hook_pool" "HOOK" "HOOK_POOL" "hook";
    BACKUP_JOB: "backupjob" "backupjob_pool" "BACKUPJOB" "BACKUPJOB_POOL" "backup job";
}

/// The owner of an object.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// User id.
    pub(crate) uid: i64,
    /// Group id.
    pub(crate) gid: i64,
    /// User name.
    pub(crate) uname: String,
    /// Group name.
    pub(crate) gname: String,
}

impl Owner {
    /// The user with id 0.
    pub(crate) fn oneadmin(name: &str) -> Self {
        Self {
            uid: 0,
            gid: 0,
            uname: name.to_owned(),
            gname: "oneadmin".to_owned(),
        }
    }
}

fn owned(root: &str, oid: i64, owner: &Owner, name: &str) -> Element {
    Element::new(root)
        .with(Element::leaf("ID", oid))
        .with(Element::leaf("UID", owner.uid))
        .with(Element::leaf("GID", owner.gid))
        .with(Element::leaf("UNAME", &owner.uname))
        .with(Element::leaf("GNAME", &owner.gname))
        .with(Element::leaf("NAME", name))
}

fn permissions(group_use: u8) -> Element {
    let mut element = Element::new("PERMISSIONS");
    for (name, value) in [
        ("OWNER_U", 1),
        ("OWNER_M", 1),
        ("OWNER_A", 0),
        ("GROUP_U", group_use),
        ("GROUP_M", 0),
        ("GROUP_A", 0),
        ("OTHER_U", 0),
        ("OTHER_M", 0),
        ("OTHER_A", 0),
    ] {
        element.children.push(Element::leaf(name, value));
    }
    element
}

/// The four empty quota elements, as children of `element`.
pub(crate) fn with_quotas(element: Element) -> Element {
    ["DATASTORE_QUOTA", "NETWORK_QUOTA", "VM_QUOTA", "IMAGE_QUOTA"]
        .iter()
        .fold(element, |e, name| e.with(Element::new(name)))
}

fn ids(root: &str, members: &[i64]) -> Element {
    members
        .iter()
        .fold(Element::new(root), |e, id| e.with(Element::leaf("ID", id)))
}

/// A user; `password` is what the table keeps (a digest for the core driver).
pub(crate) fn user(oid: i64, name: &str, password: &str, driver: &str, gids: &[i64], token: &str) -> Element {
    let gid = gids.first().copied().unwrap_or(1);
    Element::new("USER")
        .with(Element::leaf("ID", oid))
        .with(Element::leaf("GID", gid))
        .with(ids("GROUPS", gids))
        .with(Element::leaf(
            "GNAME",
            if gid == 0 { "oneadmin" } else { "users" },
        ))
        .with(Element::leaf("NAME", name))
        .with(Element::cdata("PASSWORD", password))
        .with(Element::cdata("AUTH_DRIVER", driver))
        .with(Element::leaf("ENABLED", 1))
        .with(Element::new("TEMPLATE").with(Element::cdata("TOKEN_PASSWORD", token)))
}

/// A group.
pub(crate) fn group(oid: i64, name: &str, users: &[i64]) -> Element {
    Element::new("GROUP")
        .with(Element::leaf("ID", oid))
        .with(Element::leaf("NAME", name))
        .with(Element::new("TEMPLATE"))
        .with(ids("USERS", users))
        .with(Element::new("ADMINS"))
}

/// The default cluster or another one.
pub(crate) fn cluster(oid: i64, name: &str, datastores: &[i64]) -> Element {
    Element::new("CLUSTER")
        .with(Element::leaf("ID", oid))
        .with(Element::leaf("NAME", name))
        .with(Element::new("HOSTS"))
        .with(ids("DATASTORES", datastores))
        .with(Element::new("VNETS"))
        .with(
            Element::new("TEMPLATE")
                .with(Element::cdata("RESERVED_CPU", ""))
                .with(Element::cdata("RESERVED_MEM", "")),
        )
}

/// The zone of this installation.
pub(crate) fn zone(oid: i64, name: &str, endpoint: &str) -> Element {
    Element::new("ZONE")
        .with(Element::leaf("ID", oid))
        .with(Element::leaf("NAME", name))
        .with(Element::leaf("STATE", 0))
        .with(Element::new("TEMPLATE").with(Element::cdata("ENDPOINT", endpoint)))
        .with(Element::new("SERVER_POOL"))
}

/// An object with nothing but a name and an owner.
pub(crate) fn plain(kind: Kind, oid: i64, owner: &Owner, name: &str) -> Element {
    owned(kind.root, oid, owner, name)
        .with(permissions(1))
        .with(Element::new("TEMPLATE"))
}

/// A datastore that was not monitored yet.
pub(crate) fn datastore(oid: i64, owner: &Owner, name: &str, base: &str, template: &Template) -> Element {
    let kind = template.get("TYPE").unwrap_or("IMAGE_DS");
    let number = match kind {
        "SYSTEM_DS" => 1,
        "FILE_DS" => 2,
        "BACKUP_DS" => 3,
        _ => 0,
    };
    let mut body = owned("DATASTORE", oid, owner, name)
        .with(permissions(1))
        .with(Element::cdata("DS_MAD", template.get("DS_MAD").unwrap_or("-")))
        .with(Element::cdata(
            "TM_MAD",
            template.get("TM_MAD").unwrap_or_default(),
        ))
        .with(Element::cdata("BASE_PATH", format!("{base}/{oid}")))
        .with(Element::leaf("TYPE", number))
        .with(Element::leaf("DISK_TYPE", 0))
        .with(Element::leaf("STATE", 0))
        .with(ids("CLUSTERS", &[0]));
    for name in ["TOTAL_MB", "FREE_MB", "USED_MB"] {
        body.children.push(Element::leaf(name, 0));
    }
    body.with(Element::new("IMAGES"))
        .with(template.to_xml("TEMPLATE"))
}

/// A host that was not monitored yet.
pub(crate) fn host(oid: i64, name: &str, im: &str, vmm: &str, cluster: (i64, &str)) -> Element {
    let mut share = Element::new("HOST_SHARE");
    for name in [
        "MEM_USAGE",
        "CPU_USAGE",
        "TOTAL_MEM",
        "TOTAL_CPU",
        "MAX_MEM",
        "MAX_CPU",
        "RUNNING_VMS",
    ] {
        share.children.push(Element::leaf(name, 0));
    }
    let share = share
        .with(Element::leaf("VMS_THREAD", 1))
        .with(disks(0, 0))
        .with(Element::new("PCI_DEVICES"))
        .with(Element::new("NUMA_NODES"));
    Element::new("HOST")
        .with(Element::leaf("ID", oid))
        .with(Element::leaf("NAME", name))
        .with(Element::leaf("STATE", 0))
        .with(Element::leaf("PREV_STATE", 0))
        .with(Element::cdata("IM_MAD", im))
        .with(Element::cdata("VM_MAD", vmm))
        .with(Element::leaf("CLUSTER_ID", cluster.0))
        .with(Element::leaf("CLUSTER", cluster.1))
        .with(share)
        .with(Element::new("VMS"))
        .with(
            Element::new("TEMPLATE")
                .with(Element::cdata("IM_MAD", im))
                .with(Element::cdata("RESERVED_CPU", ""))
                .with(Element::cdata("RESERVED_MEM", ""))
                .with(Element::cdata("VM_MAD", vmm)),
        )
        .with(Element::new("MONITORING"))
}

fn disks(max: i64, used: i64) -> Element {
    Element::new("DATASTORES")
        .with(Element::cdata("DISK_USAGE", 0))
        .with(Element::cdata("FREE_DISK", max))
        .with(Element::cdata("MAX_DISK", max))
        .with(Element::cdata("USED_DISK", used))
}

/// What the dummy probes report: 8 CPUs, 16 GiB, 20 GiB of disk.
pub(crate) fn monitored_dummy(body: &mut Element) {
    let name = body.text_at(&["NAME"]).to_owned();
    body.set("PREV_STATE", body.text_at(&["STATE"]).to_owned());
    body.set("STATE", 2);
    if let Some(share) = body.child_mut("HOST_SHARE") {
        for (key, value) in [
            ("TOTAL_MEM", 16_777_216),
            ("TOTAL_CPU", 800),
            ("MAX_MEM", 16_777_216),
            ("MAX_CPU", 800),
        ] {
            share.set(key, value);
        }
        share.replace(disks(20480, 9720));
    }
    if let Some(template) = body.child_mut("TEMPLATE") {
        for (key, value) in [
            ("ARCH", "x86_64"),
            ("CPUSPEED", "3200"),
            ("HOSTNAME", name.as_str()),
            ("HYPERVISOR", "dummy"),
            ("MODELNAME", "Dummy(R) Core @ 3.2GHz"),
            ("TOTALCPU", "800"),
            ("TOTALMEMORY", "16777216"),
        ] {
            template.replace(Element::cdata(key, value));
        }
        template.children.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// Attributes of a VM template that stay in the VM's TEMPLATE; the rest goes to `USER_TEMPLATE`.
const VM_ATTRIBUTES: [&str; 27] = [
    "CPU",
    "MEMORY",
    "VCPU",
    "DISK",
    "NIC",
    "NIC_ALIAS",
    "NIC_DEFAULT",
    "OS",
    "FEATURES",
    "GRAPHICS",
    "INPUT",
    "CONTEXT",
    "RAW",
    "PCI",
    "TOPOLOGY",
    "NUMA_NODE",
    "VMGROUP",
    "SCHED_ACTION",
    "CPU_MODEL",
    "CPU_COST",
    "MEMORY_COST",
    "DISK_COST",
    "VCPU_MAX",
    "MEMORY_MAX",
    "BACKUP_CONFIG",
    "AUTOMATIC_REQUIREMENTS",
    "EMULATOR",
];

/// A pending VM.
pub(crate) fn vm(
    oid: i64,
    owner: &Owner,
    name: &str,
    template: &Template,
    now: i64,
    on_hold: bool,
) -> Element {
    let all = template.to_xml("TEMPLATE");
    let (mut inside, outside): (Vec<Element>, Vec<Element>) = all
        .children
        .into_iter()
        .filter(|c| c.name != "NAME")
        .partition(|c| VM_ATTRIBUTES.contains(&c.name.as_str()));
    inside.push(Element::cdata(
        "AUTOMATIC_REQUIREMENTS",
        "(CLUSTER_ID = 0) & !(PUBLIC_CLOUD = YES) & !(PIN_POLICY = PINNED)",
    ));
    inside.push(Element::cdata("VMID", oid));
    inside.sort_by(|a, b| a.name.cmp(&b.name));
    let mut body = owned("VM", oid, owner, name)
        .with(permissions(0))
        .with(Element::leaf("LAST_POLL", 0));
    let state = if on_hold { 2 } else { 1 };
    for (key, value) in [
        ("STATE", state),
        ("LCM_STATE", 0),
        ("PREV_STATE", state),
        ("PREV_LCM_STATE", 0),
        ("RESCHED", 0),
        ("STIME", now),
        ("ETIME", 0),
    ] {
        body.children.push(Element::leaf(key, value));
    }
    let mut template = Element::new("TEMPLATE");
    template.children = inside;
    let mut user_template = Element::new("USER_TEMPLATE");
    user_template.children = outside;
    body.with(Element::new("DEPLOY_ID"))
        .with(Element::new("MONITORING"))
        .with(Element::new("SCHED_ACTIONS"))
        .with(template)
        .with(user_template)
        .with(Element::new("HISTORY_RECORDS"))
        .with(
            Element::new("BACKUPS")
                .with(Element::new("BACKUP_CONFIG"))
                .with(Element::new("BACKUP_IDS")),
        )
}

/// A history record of a VM that was placed.
pub(crate) fn history(vm: i64, host: (i64, &str), vmm: &str, datastore: i64, tm: &str, now: i64) -> Element {
    Element::new("HISTORY")
        .with(Element::leaf("OID", vm))
        .with(Element::leaf("SEQ", 0))
        .with(Element::leaf("HOSTNAME", host.1))
        .with(Element::leaf("HID", host.0))
        .with(Element::leaf("CID", 0))
        .with(Element::leaf("STIME", now))
        .with(Element::leaf("ETIME", 0))
        .with(Element::cdata("VM_MAD", vmm))
        .with(Element::cdata("TM_MAD", tm))
        .with(Element::leaf("DS_ID", datastore))
        .with(Element::leaf("PLAN_ID", -1))
        .with(Element::leaf("ACTION_ID", -1))
        .with(Element::leaf("PSTIME", now))
        .with(Element::leaf("PETIME", now))
        .with(Element::leaf("RSTIME", now))
        .with(Element::leaf("RETIME", 0))
        .with(Element::leaf("ESTIME", 0))
        .with(Element::leaf("EETIME", 0))
        .with(Element::leaf("ACTION", 0))
        .with(Element::leaf("UID", -1))
        .with(Element::leaf("GID", -1))
        .with(Element::leaf("REQUEST_ID", -1))
}

/// The short form of a VM, as `one.vmpool.info` answers it.
pub(crate) fn short_vm(body: &Element) -> Element {
    let mut short = Element::new("VM");
    for name in [
        "ID",
        "UID",
        "GID",
        "UNAME",
        "GNAME",
        "NAME",
        "LAST_POLL",
        "STATE",
        "LCM_STATE",
        "RESCHED",
        "STIME",
        "ETIME",
        "DEPLOY_ID",
    ] {
        short.children.push(Element::leaf(name, body.text_at(&[name])));
    }
    let mut template = Element::new("TEMPLATE");
    for name in ["CPU", "MEMORY", "VCPU"] {
        template
            .children
            .push(Element::leaf(name, body.text_at(&["TEMPLATE", name])));
    }
    let mut records = Element::new("HISTORY_RECORDS");
    if let Some(last) = body.child("HISTORY_RECORDS").and_then(|h| h.children.last()) {
        let mut record = Element::new("HISTORY");
        for (name, cdata) in [
            ("OID", false),
            ("SEQ", false),
            ("HOSTNAME", true),
            ("HID", false),
            ("CID", false),
            ("DS_ID", false),
            ("VM_MAD", true),
            ("TM_MAD", true),
            ("ACTION", true),
        ] {
            let text = last.text_at(&[name]);
            record.children.push(if cdata {
                Element::cdata(name, text)
            } else {
                Element::leaf(name, text)
            });
        }
        records.children.push(record);
    }
    short
        .with(template)
        .with(Element::new("MONITORING"))
        .with(Element::new("USER_TEMPLATE"))
        .with(records)
}

/// A VM template.
pub(crate) fn vm_template(oid: i64, owner: &Owner, name: &str, template: &Template, now: i64) -> Element {
    let mut inner = template.to_xml("TEMPLATE");
    inner.children.retain(|c| c.name != "NAME");
    owned("VMTEMPLATE", oid, owner, name)
        .with(permissions(0))
        .with(Element::leaf("REGTIME", now))
        .with(inner)
}

/// A document (OneFlow keeps its services and templates in them).
pub(crate) fn document(oid: i64, owner: &Owner, name: &str, kind: i64, template: &Template) -> Element {
    let mut inner = template.to_xml("TEMPLATE");
    inner.children.retain(|c| c.name != "NAME");
    owned("DOCUMENT", oid, owner, name)
        .with(Element::leaf("TYPE", kind))
        .with(permissions(0))
        .with(inner)
}
