//! Virtual machines and their templates.

use super::hosts::template_of;
use super::{Context, Failure, Outcome, code};
use crate::clock;
use crate::objects::{self, HOST, TEMPLATE, VM};
use crate::oned::{scheduler, vm_log};
use crate::rpc::Value;
use crate::template::{Template, Value as Attribute};
use crate::xml::Element;

type Run = fn(&Context<'_>) -> Outcome;

/// The call of that name, without `one.`.
pub(crate) fn handler(name: &str) -> Option<Run> {
    Some(match name {
        "vm.allocate" => allocate,
        "vm.action" => action,
        "vm.deploy" => deploy,
        "vm.update" => |c| super::more::update_in(c, VM, "USER_TEMPLATE"),
        "vmpool.info" => |c| pool(c, Form::Short),
        "vmpool.infoextended" => |c| pool(c, Form::Full),
        "vm.monitoring" | "vmpool.monitoring" => {
            |_| Ok(Value::Text("<MONITORING_DATA></MONITORING_DATA>".to_owned()))
        }
        "vmpool.accounting" => |_| Ok(Value::Text("<HISTORY_RECORDS></HISTORY_RECORDS>".to_owned())),
        "vmpool.showback" => |_| Ok(Value::Text("<SHOWBACK_RECORDS></SHOWBACK_RECORDS>".to_owned())),
        "vmpool.calculateshowback" => |c| {
            c.require_admin("MANAGE VM")?;
            Ok(Value::Text(String::new()))
        },
        "template.allocate" => allocate_template,
        "template.instantiate" => instantiate,
        "template.update" => |c| super::more::update_template(c, TEMPLATE),
        "template.delete" => |c| super::more::delete(c, TEMPLATE),
        _ => return None,
    })
}

fn create(context: &Context<'_>, template: &Template, on_hold: bool) -> Outcome {
    for name in ["CPU", "MEMORY"] {
        let valid = template
            .get(name)
            .and_then(|v| v.trim().parse::<f64>().ok())
            .is_some_and(|v| v > 0.0);
        if !valid {
            let kind = if name == "CPU" {
                "float or integer"
            } else {
                "integer"
            };
            return Err(Failure::new(
                code::INTERNAL,
                format!("{name} attribute must be a positive {kind} value."),
            ));
        }
    }
    let store = &context.oned.store;
    let oid = store.next_id(VM)?;
    let name = template
        .get("NAME")
        .map_or_else(|| format!("one-{oid}"), str::to_owned);
    let body = objects::vm(oid, &context.caller.owner, &name, template, clock::now(), on_hold);
    store.insert(VM, &body)?;
    Ok(Value::Int(oid))
}

fn allocate(context: &Context<'_>) -> Outcome {
    create(context, &context.template(1)?, context.flag(2))
}

fn allocate_template(context: &Context<'_>) -> Outcome {
    let template = context.template(1)?;
    let Some(name) = template.get("NAME").map(str::to_owned) else {
        return Err(Failure::new(code::INTERNAL, "Template needs a NAME."));
    };
    context.name_is_free(TEMPLATE, &name)?;
    let oid = context.oned.store.next_id(TEMPLATE)?;
    let body = objects::vm_template(oid, &context.caller.owner, &name, &template, clock::now());
    context.oned.store.insert(TEMPLATE, &body)?;
    Ok(Value::Int(oid))
}

fn instantiate(context: &Context<'_>) -> Outcome {
    let oid = context.int(1)?;
    let source = context.object(TEMPLATE, oid)?;
    let mut template = template_of(source.child("TEMPLATE"));
    if let Ok(extra) = context.template(4) {
        for (name, value) in extra.attributes {
            template.attributes.retain(|(n, _)| *n != name);
            template.attributes.push((name, value));
        }
    }
    let mut set = |name: &str, value: String| {
        template.attributes.retain(|(n, _)| n != name);
        template
            .attributes
            .push((name.to_owned(), Attribute::Single(value)));
    };
    if let Ok(name) = context.text(2)
        && !name.is_empty()
    {
        set("NAME", name.to_owned());
    }
    set("TEMPLATE_ID", oid.to_string());
    create(context, &template, context.flag(3))
}

#[derive(Clone, Copy)]
enum Form {
    Short,
    Full,
}

fn pool(context: &Context<'_>, form: Form) -> Outcome {
    let filter = context.int_or(1, -2);
    let (start, end) = (context.int_or(2, -1), context.int_or(3, -1));
    let wanted = context.int_or(4, -1);
    let mut answer = Element::new(VM.pool);
    for vm in context.oned.store.all(VM)? {
        let (oid, state) = (
            vm.number_at(&["ID"]).unwrap_or(-1),
            vm.number_at(&["STATE"]).unwrap_or(0),
        );
        let owner = vm.number_at(&["UID"]).unwrap_or(-1);
        // -1: all but DONE, -2: any state, else that one.
        let state_fits = match wanted {
            -2 => true,
            -1 => state != 6,
            wanted => state == wanted,
        };
        // -3: mine, -2: all, -1: mine and my groups', else that user's.
        let owner_fits = match filter {
            -3 => owner == context.caller.owner.uid,
            -2 | -1 => true,
            filter => owner == filter,
        };
        let id_fits = start < 0 || (oid >= start && (end < 0 || oid <= end));
        if state_fits && owner_fits && id_fits && context.may_see(VM, &vm) {
            answer.children.push(match form {
                Form::Short => objects::short_vm(&vm),
                Form::Full => vm,
            });
        }
    }
    Ok(Value::Text(answer.render()))
}

/// Names of the states, for messages.
const STATES: [&str; 12] = [
    "INIT",
    "PENDING",
    "HOLD",
    "ACTIVE",
    "STOPPED",
    "SUSPENDED",
    "DONE",
    "FAILED",
    "POWEROFF",
    "UNDEPLOYED",
    "CLONING",
    "CLONING_FAILURE",
];

fn action(context: &Context<'_>) -> Outcome {
    let action = context.text(1)?;
    let oid = context.int(2)?;
    let mut vm = context.object(VM, oid)?;
    let state = vm.number_at(&["STATE"]).unwrap_or(0);
    // (state, lcm state) after the action, for the states in which it is possible.
    let next = match (action.trim_end_matches("-hard"), state) {
        ("terminate", 1..=5 | 8 | 9) => Some((6, 0)),
        ("hold", 1) => Some((2, 0)),
        ("release", 2) | ("resume", 4 | 9) => Some((1, 0)),
        ("poweroff", 3) => Some((8, 0)),
        ("suspend", 3) => Some((5, 0)),
        ("stop", 3) => Some((4, 0)),
        ("undeploy", 3 | 8) => Some((9, 0)),
        ("reboot", 3) | ("resume", 5 | 8) => Some((3, 3)),
        _ => None,
    };
    let Some((to, lcm)) = next else {
        let name = usize::try_from(state)
            .ok()
            .and_then(|s| STATES.get(s))
            .copied()
            .unwrap_or("INIT");
        return Err(Failure {
            code: code::ACTION,
            text: format!(
                "Error performing action \"{action}\" : This action is not available for state {name}"
            ),
            object: oid,
        });
    };
    let store = &context.oned.store;
    if to == 6 {
        vm.set("ETIME", clock::now());
        scheduler::leave_host(store, &vm)?;
    }
    scheduler::move_to(&mut vm, to, lcm);
    store.update(VM, &vm)?;
    vm_log::moved(context.oned, oid, to, lcm);
    Ok(Value::Int(oid))
}

fn deploy(context: &Context<'_>) -> Outcome {
    context.require_admin("ADMIN VM")?;
    let oid = context.int(1)?;
    let vm = context.object(VM, oid)?;
    if !matches!(vm.number_at(&["STATE"]), Some(1 | 2)) {
        return Err(Failure {
            code: code::ACTION,
            text: "Deploy action is not available".to_owned(),
            object: oid,
        });
    }
    let host = context.object(HOST, context.int(2)?)?;
    let datastore = context.int_or(4, 0).max(0);
    scheduler::deploy(context.oned, vm, host, datastore)?;
    Ok(Value::Int(oid))
}
