//! Tables and details on stdout.

use std::fmt::Write as _;

use super::{Arguments, Client, Failed, method_resource};
use crate::rpc::Value;
use crate::xml::Element;

/// The pool of a resource.
pub(super) fn pool(client: &Client, resource: &str) -> Result<Element, Failed> {
    let method = format!("one.{}pool.info", method_resource(resource));
    let parameters = match resource {
        "vm" => vec![Value::Int(-2), Value::Int(-1), Value::Int(-1), Value::Int(-1)],
        "template" | "image" | "vnet" => vec![Value::Int(-2), Value::Int(-1), Value::Int(-1)],
        _ => Vec::new(),
    };
    let mut pool = client.xml(&method, parameters)?;
    pool.children.retain(|c| {
        !matches!(
            c.name.as_str(),
            "QUOTAS" | "DEFAULT_USER_QUOTAS" | "DEFAULT_GROUP_QUOTAS"
        )
    });
    Ok(pool)
}

/// `list`: a table, or the answer with `-x`.
pub(super) fn list(client: &Client, resource: &str, arguments: &Arguments) -> Result<String, Failed> {
    if resource == "acl" {
        return Ok("   ID     USER RES_VHNIUTGDCOZSvRMAPt   RID OPE_UMAC  ZONE".to_owned());
    }
    let pool = pool(client, resource)?;
    if arguments.has(&["-x", "--xml"]) {
        return Ok(pool.render());
    }
    Ok(table(resource, &pool))
}

type Column = (&'static str, usize, fn(&Element) -> String);

fn table(resource: &str, pool: &Element) -> String {
    let columns = columns(resource);
    let mut out = String::new();
    for (title, width, _) in &columns {
        let _ = write!(out, "{} ", pad(title, *width, *title == "NAME"));
    }
    let mut lines = vec![out.trim_end().to_owned()];
    for object in &pool.children {
        let mut line = String::new();
        for (title, width, value) in &columns {
            let _ = write!(line, "{} ", pad(&value(object), *width, *title == "NAME"));
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn pad(text: &str, width: usize, left: bool) -> String {
    let short: String = text.chars().take(width).collect();
    if left {
        format!("{short:<width$}")
    } else {
        format!("{short:>width$}")
    }
}

fn columns(resource: &str) -> Vec<Column> {
    let id: Column = ("ID", 4, |o| o.text_at(&["ID"]).to_owned());
    let name: Column = ("NAME", 20, |o| o.text_at(&["NAME"]).to_owned());
    let user: Column = ("USER", 10, |o| o.text_at(&["UNAME"]).to_owned());
    let group: Column = ("GROUP", 10, |o| o.text_at(&["GNAME"]).to_owned());
    match resource {
        "user" => vec![
            id,
            name,
            ("ENAB", 5, |o| {
                if o.text_at(&["ENABLED"]) == "1" {
                    "yes"
                } else {
                    "no"
                }
                .to_owned()
            }),
            group,
            ("AUTH", 15, |o| o.text_at(&["AUTH_DRIVER"]).to_owned()),
        ],
        "host" => vec![
            id,
            name,
            ("CLUSTER", 10, |o| o.text_at(&["CLUSTER"]).to_owned()),
            ("TVM", 4, |o| o.text_at(&["HOST_SHARE", "RUNNING_VMS"]).to_owned()),
            ("ALLOCATED_CPU", 15, |o| share(o, "CPU_USAGE", "MAX_CPU")),
            ("ALLOCATED_MEM", 19, |o| share(o, "MEM_USAGE", "MAX_MEM")),
            ("STAT", 6, |o| host_state(o.text_at(&["STATE"])).to_owned()),
        ],
        "vm" => vec![
            id,
            user,
            group,
            name,
            ("STAT", 5, |o| vm_state(o).to_owned()),
            ("CPU", 5, |o| o.text_at(&["TEMPLATE", "CPU"]).to_owned()),
            ("MEM", 7, |o| format!("{}M", o.text_at(&["TEMPLATE", "MEMORY"]))),
            ("HOST", 20, |o| last_host(o)),
        ],
        "datastore" => vec![
            id,
            name,
            ("SIZE", 8, |o| gigabytes(o.text_at(&["TOTAL_MB"]))),
            ("AVA", 8, |o| gigabytes(o.text_at(&["FREE_MB"]))),
            ("CLUSTERS", 9, |o| o.text_at(&["CLUSTERS", "ID"]).to_owned()),
            ("IMA", 4, |o| {
                o.child("IMAGES").map_or(0, |i| i.children.len()).to_string()
            }),
            ("TYPE", 4, |o| {
                match o.text_at(&["TYPE"]) {
                    "1" => "sys",
                    "2" => "fil",
                    "3" => "bck",
                    _ => "img",
                }
                .to_owned()
            }),
            ("DS", 6, |o| o.text_at(&["DS_MAD"]).to_owned()),
            ("TM", 8, |o| o.text_at(&["TM_MAD"]).to_owned()),
            ("STAT", 4, |o| {
                if o.text_at(&["STATE"]) == "0" { "on" } else { "off" }.to_owned()
            }),
        ],
        "zone" => vec![
            id,
            name,
            ("ENDPOINT", 45, |o| {
                o.text_at(&["TEMPLATE", "ENDPOINT"]).to_owned()
            }),
        ],
        "cluster" => vec![
            id,
            name,
            ("HOSTS", 5, |o| {
                o.child("HOSTS").map_or(0, |c| c.children.len()).to_string()
            }),
            ("VNETS", 5, |o| {
                o.child("VNETS").map_or(0, |c| c.children.len()).to_string()
            }),
            ("DATASTORES", 10, |o| {
                o.child("DATASTORES").map_or(0, |c| c.children.len()).to_string()
            }),
        ],
        "group" => vec![
            id,
            name,
            ("USERS", 5, |o| {
                o.child("USERS").map_or(0, |c| c.children.len()).to_string()
            }),
        ],
        _ => vec![id, user, group, name],
    }
}

fn share(host: &Element, used: &str, max: &str) -> String {
    format!(
        "{} / {}",
        host.text_at(&["HOST_SHARE", used]),
        host.text_at(&["HOST_SHARE", max])
    )
}

fn gigabytes(megabytes: &str) -> String {
    megabytes.parse::<u64>().map_or_else(
        |_| "-".to_owned(),
        |mb| {
            if mb == 0 {
                "-".to_owned()
            } else {
                format!("{}G", mb / 1024)
            }
        },
    )
}

fn last_host(vm: &Element) -> String {
    let record = vm.child("HISTORY_RECORDS").and_then(|h| h.children.last());
    record.map_or_else(String::new, |r| r.text_at(&["HOSTNAME"]).to_owned())
}

fn host_state(state: &str) -> &'static str {
    match state {
        "0" => "init",
        "1" => "update",
        "2" => "on",
        "3" => "err",
        "4" => "dsbl",
        "8" => "off",
        _ => "unk",
    }
}

fn vm_state(vm: &Element) -> &'static str {
    match (vm.text_at(&["STATE"]), vm.text_at(&["LCM_STATE"])) {
        ("1", _) => "pend",
        ("2", _) => "hold",
        ("3", "1") => "prol",
        ("3", "2") => "boot",
        ("3", "3") => "runn",
        ("4", _) => "stop",
        ("5", _) => "susp",
        ("6", _) => "done",
        ("8", _) => "poff",
        ("9", _) => "unde",
        _ => "unkn",
    }
}

fn long_state(resource: &str, object: &Element) -> Option<String> {
    let state = object.text_at(&["STATE"]);
    match resource {
        "host" => Some(
            match state {
                "0" => "INIT",
                "2" => "MONITORED",
                "3" => "ERROR",
                "4" => "DISABLED",
                "8" => "OFFLINE",
                _ => "UNKNOWN",
            }
            .to_owned(),
        ),
        "vm" => Some(
            match state {
                "1" => "PENDING",
                "2" => "HOLD",
                "3" => "ACTIVE",
                "4" => "STOPPED",
                "5" => "SUSPENDED",
                "6" => "DONE",
                "8" => "POWEROFF",
                "9" => "UNDEPLOYED",
                _ => "INIT",
            }
            .to_owned(),
        ),
        _ => None,
    }
}

/// `show`: identity, then the template.
pub(super) fn detail(resource: &str, object: &Element) -> String {
    let mut out = format!(
        "{} {} INFORMATION\n",
        resource.to_uppercase(),
        object.text_at(&["ID"])
    );
    for name in [
        "ID",
        "NAME",
        "GNAME",
        "UNAME",
        "PASSWORD",
        "AUTH_DRIVER",
        "ENABLED",
        "CLUSTER",
        "IM_MAD",
        "VM_MAD",
    ] {
        let text = object.text_at(&[name]);
        if object.child(name).is_some() {
            let _ = writeln!(out, "{name:<20}: {text}");
        }
    }
    if let Some(state) = long_state(resource, object) {
        let _ = writeln!(out, "{:<20}: {state}", "STATE");
        if resource == "vm" {
            let lcm = if object.text_at(&["LCM_STATE"]) == "3" {
                "RUNNING"
            } else {
                "LCM_INIT"
            };
            let _ = writeln!(out, "{:<20}: {lcm}", "LCM_STATE");
            let _ = writeln!(out, "{:<20}: {}", "HOST", last_host(object));
        }
    }
    for section in ["TEMPLATE", "USER_TEMPLATE"] {
        let Some(template) = object.child(section) else {
            continue;
        };
        let _ = writeln!(out, "\n{resource} {section}", resource = resource.to_uppercase());
        for attribute in &template.children {
            if attribute.children.is_empty() {
                let _ = writeln!(out, "{}=\"{}\"", attribute.name, attribute.text);
            } else {
                let pairs: Vec<String> = attribute
                    .children
                    .iter()
                    .map(|c| format!("\n  {}=\"{}\"", c.name, c.text))
                    .collect();
                let _ = writeln!(out, "{}=[{} ]", attribute.name, pairs.join(","));
            }
        }
    }
    out.trim_end().to_owned()
}
