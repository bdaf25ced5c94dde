//! Hosts and datastores.

use super::{Context, Failure, Outcome, code};
use crate::objects::{self, CLUSTER, DATASTORE, HOST};
use crate::oned::bootstrap::with_driver_attributes;
use crate::oned::scheduler;
use crate::rpc::Value;
use crate::template::{Template, Value as Attribute};
use crate::xml::Element;

type Run = fn(&Context<'_>) -> Outcome;

/// The call of that name, without `one.`.
pub(crate) fn handler(name: &str) -> Option<Run> {
    Some(match name {
        "host.allocate" => allocate,
        "host.delete" => delete,
        "host.status" => status,
        "host.enable" => enable,
        "host.update" => |c| super::more::update_template(c, HOST),
        "host.monitoring" | "hostpool.monitoring" => {
            |_| Ok(Value::Text("<MONITORING_DATA></MONITORING_DATA>".to_owned()))
        }
        "datastore.allocate" => allocate_datastore,
        "datastore.update" => update_datastore,
        "datastore.delete" => delete_datastore,
        _ => return None,
    })
}

fn allocate(context: &Context<'_>) -> Outcome {
    context.require_admin("CREATE HOST")?;
    let (name, im, vmm) = (context.text(1)?, context.text(2)?, context.text(3)?);
    let cluster_id = match context.int_or(4, -1) {
        -1 => 0,
        oid => oid,
    };
    let mut cluster = context.object(CLUSTER, cluster_id)?;
    if name.is_empty() {
        return Err(Failure::new(code::INTERNAL, "Invalid NAME, it cannot be empty"));
    }
    context.name_is_free(HOST, name)?;
    let store = &context.oned.store;
    let oid = store.next_id(HOST)?;
    let cluster_name = cluster.text_at(&["NAME"]).to_owned();
    store.insert(
        HOST,
        &objects::host(oid, name, im, vmm, (cluster_id, &cluster_name)),
    )?;
    if let Some(hosts) = cluster.child_mut("HOSTS") {
        hosts.children.push(Element::leaf("ID", oid));
    }
    store.update(CLUSTER, &cluster)?;
    Ok(Value::Int(oid))
}

fn delete(context: &Context<'_>) -> Outcome {
    context.require_admin("ADMIN HOST")?;
    let oid = context.int(1)?;
    let host = context.object(HOST, oid)?;
    if host.number_at(&["HOST_SHARE", "RUNNING_VMS"]).unwrap_or(0) > 0 {
        return Err(Failure::new(
            code::ACTION,
            "Cannot Delete HOST. Can not remove a host with running VMs",
        ));
    }
    let store = &context.oned.store;
    if let Some(mut cluster) = store.get(CLUSTER, host.number_at(&["CLUSTER_ID"]).unwrap_or(0))? {
        let gone = oid.to_string();
        if let Some(hosts) = cluster.child_mut("HOSTS") {
            hosts.children.retain(|c| c.text != gone);
        }
        store.update(CLUSTER, &cluster)?;
    }
    store.remove(HOST, oid)?;
    Ok(Value::Int(oid))
}

/// Host states: 0 init, 2 monitored, 3 error, 4 disabled, 8 offline.
fn set_state(context: &Context<'_>, state: i64) -> Outcome {
    context.require_admin("ADMIN HOST")?;
    let oid = context.int(1)?;
    let mut host = context.object(HOST, oid)?;
    let before = host.text_at(&["STATE"]).to_owned();
    host.set("PREV_STATE", before);
    host.set("STATE", state);
    context.oned.store.update(HOST, &host)?;
    Ok(Value::Int(oid))
}

fn status(context: &Context<'_>) -> Outcome {
    match context.int(2)? {
        0 => set_state(context, 0),
        1 => set_state(context, 4),
        2 => set_state(context, 8),
        _ => Err(Failure::new(code::INTERNAL, "Wrong status code")),
    }
}

fn enable(context: &Context<'_>) -> Outcome {
    set_state(context, if context.flag(2) { 0 } else { 4 })
}

fn allocate_datastore(context: &Context<'_>) -> Outcome {
    context.require_admin("CREATE DATASTORE")?;
    let template = context.template(1)?;
    let Some(name) = template.get("NAME").map(str::to_owned) else {
        return Err(Failure::new(code::INTERNAL, "No NAME in template."));
    };
    if template.get("TM_MAD").is_none() {
        return Err(Failure::new(code::INTERNAL, "No TM_MAD in template."));
    }
    context.name_is_free(DATASTORE, &name)?;
    let mut kept = template;
    kept.attributes.retain(|(n, _)| n != "NAME");
    let kept = with_driver_attributes(&kept, &context.oned.config);
    let oid = context.oned.store.next_id(DATASTORE)?;
    let base = context.oned.config.get("DATASTORE_LOCATION");
    let body = objects::datastore(oid, &context.caller.owner, &name, base, &kept);
    context.oned.store.insert(DATASTORE, &body)?;
    if let Some(mut cluster) = context.oned.store.get(CLUSTER, 0)? {
        if let Some(datastores) = cluster.child_mut("DATASTORES") {
            datastores.children.push(Element::leaf("ID", oid));
        }
        context.oned.store.update(CLUSTER, &cluster)?;
    }
    scheduler::monitor_datastore(context.oned, body)?;
    Ok(Value::Int(oid))
}

fn update_datastore(context: &Context<'_>) -> Outcome {
    context.require_admin("MANAGE DATASTORE")?;
    let oid = context.int(1)?;
    let mut body = context.object(DATASTORE, oid)?;
    let old = template_of(body.child("TEMPLATE"));
    let mut new = context.template(2)?;
    if context.int_or(3, 0) == 1 {
        let mut merged = old.clone();
        for (name, value) in new.attributes {
            merged.attributes.retain(|(n, _)| *n != name);
            merged.attributes.push((name, value));
        }
        new = merged;
    }
    // The type of a datastore and its drivers stay when an update leaves them out.
    for name in ["TYPE", "DS_MAD", "TM_MAD"] {
        if let (None, Some(value)) = (new.get(name), old.get(name)) {
            new.attributes
                .push((name.to_owned(), Attribute::Single(value.to_owned())));
        }
    }
    let new = with_driver_attributes(&new, &context.oned.config);
    let before = body.text_at(&["TM_MAD"]).to_owned();
    let transfer = new.get("TM_MAD").unwrap_or_default().to_owned();
    body.replace(Element::cdata("TM_MAD", &transfer));
    body.replace(new.to_xml("TEMPLATE"));
    if before != transfer {
        // Unknown until the next round of monitoring.
        for name in ["TOTAL_MB", "FREE_MB", "USED_MB"] {
            body.set(name, 0);
        }
    }
    context.oned.store.update(DATASTORE, &body)?;
    Ok(Value::Int(oid))
}

fn delete_datastore(context: &Context<'_>) -> Outcome {
    context.require_admin("ADMIN DATASTORE")?;
    let oid = context.int(1)?;
    context.object(DATASTORE, oid)?;
    context.oned.store.remove(DATASTORE, oid)?;
    Ok(Value::Int(oid))
}

/// The attributes of a TEMPLATE element.
pub(crate) fn template_of(element: Option<&Element>) -> Template {
    element
        .and_then(|e| Template::from_either(&e.render()).ok())
        .unwrap_or_default()
}
