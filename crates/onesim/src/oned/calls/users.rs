//! Users and groups.

use super::{Context, Failure, Outcome, code};
use crate::db::DbError;
use crate::objects::{self, GROUP, USER};
use crate::oned::random_hex;
use crate::oned::session::sha256;
use crate::rpc::Value;
use crate::xml::Element;

type Run = fn(&Context<'_>) -> Outcome;

/// The call of that name, without `one.`.
pub(crate) fn handler(name: &str) -> Option<Run> {
    Some(match name {
        "user.info" => info,
        "userpool.info" => pool,
        "user.passwd" => passwd,
        "user.allocate" => allocate,
        "user.delete" => delete,
        "user.update" => update,
        "userquota.info" => |c| default_quotas(c, "DEFAULT_USER_QUOTAS"),
        "groupquota.info" => |c| default_quotas(c, "DEFAULT_GROUP_QUOTAS"),
        "grouppool.info" => groups,
        "group.info" => group,
        _ => return None,
    })
}

fn quotas(context: &Context<'_>, name: &str) -> Result<Element, DbError> {
    Ok(context
        .oned
        .store
        .system_attribute(name)?
        .unwrap_or_else(|| objects::with_quotas(Element::new(name))))
}

fn default_quotas(context: &Context<'_>, name: &str) -> Outcome {
    Ok(Value::Text(quotas(context, name)?.render()))
}

/// The id, or the caller's own for -1.
fn target(context: &Context<'_>) -> Result<i64, Failure> {
    Ok(match context.int(1)? {
        -1 => context.caller.owner.uid,
        oid => oid,
    })
}

fn info(context: &Context<'_>) -> Outcome {
    let user = context.object(USER, target(context)?)?;
    let body = objects::with_quotas(user).with(quotas(context, "DEFAULT_USER_QUOTAS")?);
    Ok(Value::Text(body.render()))
}

fn pool(context: &Context<'_>) -> Outcome {
    let mut answer = Element::new(USER.pool);
    for user in context.oned.store.all(USER)? {
        if !context.may_see(USER, &user) {
            continue;
        }
        let id = Element::leaf("ID", user.text_at(&["ID"]));
        answer.children.push(user);
        answer
            .children
            .push(objects::with_quotas(Element::new("QUOTAS").with(id)));
    }
    Ok(Value::Text(
        answer.with(quotas(context, "DEFAULT_USER_QUOTAS")?).render(),
    ))
}

fn group(context: &Context<'_>) -> Outcome {
    let oid = match context.int(1)? {
        -1 => context.caller.owner.gid,
        oid => oid,
    };
    let body =
        objects::with_quotas(context.object(GROUP, oid)?).with(quotas(context, "DEFAULT_GROUP_QUOTAS")?);
    Ok(Value::Text(body.render()))
}

fn groups(context: &Context<'_>) -> Outcome {
    let mut answer = Element::new(GROUP.pool);
    for group in context.oned.store.all(GROUP)? {
        let id = Element::leaf("ID", group.text_at(&["ID"]));
        answer.children.push(group);
        answer
            .children
            .push(objects::with_quotas(Element::new("QUOTAS").with(id)));
    }
    Ok(Value::Text(
        answer.with(quotas(context, "DEFAULT_GROUP_QUOTAS")?).render(),
    ))
}

fn passwd(context: &Context<'_>) -> Outcome {
    let oid = context.int(1)?;
    if oid < 0 {
        return Err(Failure {
            text: "Error getting user Pool.".to_owned(),
            ..Failure::no_such(USER, oid)
        });
    }
    // Anyone may change its own, where the driver allows it; the group oneadmin may change any.
    let mut user = context.object(USER, oid)?;
    let password = context.text(2)?;
    let driver = user.text_at(&["AUTH_DRIVER"]).to_owned();
    let allowed = context
        .oned
        .config
        .named("AUTH_MAD_CONF", &driver, "PASSWORD_CHANGE");
    if allowed != Some("YES") && !context.caller.is_admin() {
        return Err(Failure::new(
            code::ACTION,
            format!("Password for driver {driver} cannot be changed."),
        ));
    }
    let kept = kept_password(password, &driver).map_err(|refusal| Failure::new(code::ACTION, refusal))?;
    user.replace(Element::cdata("PASSWORD", kept));
    context.oned.store.update(USER, &user)?;
    Ok(Value::Int(oid))
}

/// What the database keeps of a password: the core driver a digest, the others what they are given. The error is the
/// refusal of one that the real daemon does not take.
fn kept_password(password: &str, driver: &str) -> Result<String, String> {
    if password.is_empty() {
        return Err("Invalid password, it cannot be empty".to_owned());
    }
    let most = match driver {
        "core" | "ldap" | "sunstone" => 256,
        "server_cipher" => 4096,
        "saml" => 12 * 1024,
        "ssh" => 16 * 1024,
        "x509" | "server_x509" => 64 * 1024,
        _ => usize::MAX,
    };
    if password.len() > most {
        return Err(format!(
            "Password is longer than max allowed length. Max allowed length for the driver {driver} : {most} bytes"
        ));
    }
    if let Some(blank) = password
        .chars()
        .find(|c| matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r'))
    {
        return Err(format!("Invalid password, character '{blank}' is not allowed"));
    }
    Ok(if driver == "core" {
        sha256(password)
    } else {
        password.to_owned()
    })
}

fn allocate(context: &Context<'_>) -> Outcome {
    context.require_admin("CREATE USER")?;
    let (name, password) = (context.text(1)?, context.text(2)?);
    let driver = match context.text(3).unwrap_or_default() {
        "" => "core",
        driver => driver,
    };
    if name.is_empty() || name.contains(':') {
        return Err(Failure::new(
            code::INTERNAL,
            "Invalid NAME, it cannot be empty or contain ':'",
        ));
    }
    context.name_is_free(USER, name)?;
    let kept = kept_password(password, driver)
        .map_err(|refusal| Failure::new(code::INTERNAL, format!("{refusal}.")))?;
    let gids = match context.call.parameters.get(4) {
        Some(Value::Array(ids)) if !ids.is_empty() => ids.iter().filter_map(Value::int).collect(),
        _ => vec![1],
    };
    let oid = context.oned.store.next_id(USER)?;
    let body = objects::user(oid, name, &kept, driver, &gids, &random_hex());
    context.oned.store.insert(USER, &body)?;
    Ok(Value::Int(oid))
}

fn delete(context: &Context<'_>) -> Outcome {
    context.require_admin("ADMIN USER")?;
    let oid = context.int(1)?;
    context.object(USER, oid)?;
    if oid <= 1 {
        return Err(Failure::new(
            code::ACTION,
            "Cannot Delete USER. oneadmin and serveradmin cannot be deleted.",
        ));
    }
    context.oned.store.remove(USER, oid)?;
    Ok(Value::Int(oid))
}

fn update(context: &Context<'_>) -> Outcome {
    super::more::update_template(context, USER)
}
