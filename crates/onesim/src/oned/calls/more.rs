//! System, zone, documents, and the update and delete that all templates share.

use super::hosts::template_of;
use super::{Context, Failure, Outcome, code};
use crate::objects::{self, CLUSTER, DOCUMENT, Kind, ZONE};
use crate::rpc::Value;
use crate::xml::Element;

/// A test's word for what this server is: 1 candidate, 2 follower, 3 leader.
const RAFT_STATE: &str = "/usr/lib/onesim/raft-state";

type Run = fn(&Context<'_>) -> Outcome;

/// The call of that name, without `one.`.
pub(crate) fn handler(name: &str) -> Option<Run> {
    Some(match name {
        "system.version" => |c| Ok(Value::Text(c.oned.release.number().to_owned())),
        "system.config" => |c| {
            c.require_admin("ADMIN SYSTEM")?;
            Ok(Value::Text(c.oned.config.to_xml()))
        },
        "zone.raftstatus" => |c| Ok(raft_status(c)),
        "zone.update" => |c| update_template(c, ZONE),
        "cluster.update" => |c| update_template(c, CLUSTER),
        "acl.info" => |_| Ok(Value::Text("<ACL_POOL></ACL_POOL>".to_owned())),
        "document.allocate" => allocate_document,
        "document.update" => |c| update_template(c, DOCUMENT),
        "document.delete" => |c| delete(c, DOCUMENT),
        "documentpool.info" => documents,
        _ => return None,
    })
}

/// A server that is alone; or one of several, which follows until the file `raft-state` says another number.
fn raft_status(context: &Context<'_>) -> Value {
    let server = context.oned.config.get_in("FEDERATION", "SERVER_ID", "-1");
    let (state, index) = if server == "-1" {
        (0, -1)
    } else {
        let asked = std::fs::read_to_string(RAFT_STATE).unwrap_or_default();
        (asked.trim().parse().unwrap_or(2), 0)
    };
    let mut raft = Element::new("RAFT");
    raft.children.push(Element::leaf("SERVER_ID", server));
    for (name, value) in [
        ("STATE", state),
        ("TERM", 0),
        ("VOTEDFOR", -1),
        ("COMMIT", 0),
        ("LOG_INDEX", index),
        ("LOG_TERM", index),
        ("FEDLOG_INDEX", -1),
    ] {
        raft.children.push(Element::leaf(name, value));
    }
    Value::Text(raft.render())
}

/// `update(id, template, 0 replace | 1 append)` on TEMPLATE.
pub(crate) fn update_template(context: &Context<'_>, kind: Kind) -> Outcome {
    update_in(context, kind, "TEMPLATE")
}

/// `update(id, template, 0 replace | 1 append)` on a template element.
pub(crate) fn update_in(context: &Context<'_>, kind: Kind, element: &str) -> Outcome {
    let oid = context.int(1)?;
    let mut body = context.object(kind, oid)?;
    let mut template = context.template(2)?;
    if context.int_or(3, 0) == 1 {
        let mut merged = template_of(body.child(element));
        for (name, value) in template.attributes {
            merged.attributes.retain(|(n, _)| *n != name);
            merged.attributes.push((name, value));
        }
        template = merged;
    }
    body.replace(template.to_xml(element));
    context.oned.store.update(kind, &body)?;
    Ok(Value::Int(oid))
}

/// Removes an object that nothing depends on.
pub(crate) fn delete(context: &Context<'_>, kind: Kind) -> Outcome {
    let oid = context.int(1)?;
    context.object(kind, oid)?;
    context.oned.store.remove(kind, oid)?;
    Ok(Value::Int(oid))
}

fn allocate_document(context: &Context<'_>) -> Outcome {
    let template = context.template(1)?;
    let kind = context.int(2)?;
    let Some(name) = template.get("NAME").map(str::to_owned) else {
        return Err(Failure::new(code::INTERNAL, "No NAME in template."));
    };
    let oid = context.oned.store.next_id(DOCUMENT)?;
    let body = objects::document(oid, &context.caller.owner, &name, kind, &template);
    context.oned.store.insert(DOCUMENT, &body)?;
    Ok(Value::Int(oid))
}

/// `documentpool.info(filter, start, end, type)`.
fn documents(context: &Context<'_>) -> Outcome {
    let wanted = context.int_or(4, 0);
    let mut answer = Element::new(DOCUMENT.pool);
    answer.children = context
        .oned
        .store
        .all(DOCUMENT)?
        .into_iter()
        .filter(|d| d.number_at(&["TYPE"]) == Some(wanted) && context.may_see(DOCUMENT, d))
        .collect();
    Ok(Value::Text(answer.render()))
}
