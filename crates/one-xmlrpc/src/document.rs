//! The XML documents inside oned's answers, reduced to the fields that something here uses.
//!
//! Deliberately absent: the rest of them. Unknown elements are skipped, so a later release may add any.

use std::fmt;

use crate::xml::{Scanner, is_space, shorten};

/// A user, as `one.user.info` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// 0 is oneadmin, 1 is serveradmin.
    pub id: i32,
    /// The name that the user logs in with.
    pub name: String,
    /// The primary group's number.
    pub group_id: i32,
    /// `core` for users whose password is in the database, `server_cipher` for serveradmin.
    pub auth_driver: String,
    /// False while the user is not allowed to log in.
    pub enabled: bool,
    /// What the database keeps of the password.
    pub password: StoredPassword,
}

/// What the database keeps of a user's password: its SHA-256 in hexadecimal digits for the drivers `core` and
/// `server_cipher`. For the latter it is all that a login token takes, so its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(String);

impl StoredPassword {
    /// Whether the database keeps exactly this text.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0 == text
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredPassword(redacted)")
    }
}

/// A server's part in its zone, as `one.zone.raftstatus` describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RaftStatus {
    /// The server's number in its zone; -1 when it is alone.
    pub server_id: i32,
    /// Whether it leads.
    pub state: RaftState,
}

/// What a server is in its zone. Numbers from `enum State` in OpenNebula 7.0.2's `include/RaftManager.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RaftState {
    /// 0: it is alone, and does what a leader does.
    Solo,
    /// 1: it asks the others to elect it.
    Candidate,
    /// 2: it follows a leader, or looks for one.
    Follower,
    /// 3: it leads.
    Leader,
    /// Any other number.
    Unknown(i32),
}

impl RaftState {
    /// Whether what only one front-end of a zone may do is done here.
    #[must_use]
    pub fn leads(self) -> bool {
        matches!(self, Self::Solo | Self::Leader)
    }
}

impl From<i32> for RaftState {
    fn from(number: i32) -> Self {
        match number {
            0 => Self::Solo,
            1 => Self::Candidate,
            2 => Self::Follower,
            3 => Self::Leader,
            other => Self::Unknown(other),
        }
    }
}

/// A hypervisor host, as `one.hostpool.info` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Host {
    /// The number that oned gave it.
    pub id: i32,
    /// Name or address that oned reaches it by.
    pub name: String,
    /// What oned knows about it.
    pub state: HostState,
}

/// A host's state. Numbers from `enum HostState` in OpenNebula 7.0.2's `include/Host.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostState {
    /// 0: added, never heard of.
    Init,
    /// 2: monitored; VMs can be placed on it.
    Monitored,
    /// 3: its monitoring failed.
    Error,
    /// 4: monitored, but no VM is placed on it.
    Disabled,
    /// 8: taken out of use, not monitored.
    Offline,
    /// Any other number.
    Unknown(i32),
}

impl From<i32> for HostState {
    fn from(number: i32) -> Self {
        match number {
            0 => Self::Init,
            2 => Self::Monitored,
            3 => Self::Error,
            4 => Self::Disabled,
            8 => Self::Offline,
            other => Self::Unknown(other),
        }
    }
}

/// Reads a `<USER>` document.
pub(crate) fn user(xml: &str) -> Result<User, String> {
    let mut scanner = Scanner::new(xml);
    scanner.expect_child("USER")?;
    let [id, name, group_id, auth_driver, enabled, password] = fields(
        &mut scanner,
        ["ID", "NAME", "GID", "AUTH_DRIVER", "ENABLED", "PASSWORD"],
    )?;
    scanner.expect_end()?;
    Ok(User {
        id: number(&id, "USER/ID")?,
        name,
        group_id: number(&group_id, "USER/GID")?,
        auth_driver,
        enabled: number(&enabled, "USER/ENABLED")? != 0,
        password: StoredPassword(password),
    })
}

/// Reads a `<RAFT>` document.
pub(crate) fn raft_status(xml: &str) -> Result<RaftStatus, String> {
    let mut scanner = Scanner::new(xml);
    scanner.expect_child("RAFT")?;
    let [server_id, state] = fields(&mut scanner, ["SERVER_ID", "STATE"])?;
    scanner.expect_end()?;
    Ok(RaftStatus {
        server_id: number(&server_id, "RAFT/SERVER_ID")?,
        state: number(&state, "RAFT/STATE")?.into(),
    })
}

/// Reads a `<HOST_POOL>` document.
pub(crate) fn host_pool(xml: &str) -> Result<Vec<Host>, String> {
    let mut scanner = Scanner::new(xml);
    scanner.expect_child("HOST_POOL")?;
    let mut hosts = Vec::new();
    while let Some(name) = scanner.child()? {
        if name != "HOST" {
            scanner.skip()?;
            continue;
        }
        let [id, name, state] = fields(&mut scanner, ["ID", "NAME", "STATE"])?;
        hosts.push(Host {
            id: number(&id, "HOST/ID")?,
            name,
            state: number(&state, "HOST/STATE")?.into(),
        });
    }
    scanner.expect_end()?;
    Ok(hosts)
}

/// The texts of the present element's children called `names`, each of which must exist; the first of several counts.
fn fields<const N: usize>(scanner: &mut Scanner<'_>, names: [&str; N]) -> Result<[String; N], String> {
    let mut found = [const { None }; N];
    while let Some(child) = scanner.child()? {
        match names
            .iter()
            .zip(&mut found)
            .find(|(name, slot)| **name == child && slot.is_none())
        {
            Some((_, slot)) => *slot = Some(scanner.text()?),
            None => scanner.skip()?,
        }
    }
    if let Some((name, _)) = names.iter().zip(&found).find(|(_, slot)| slot.is_none()) {
        return Err(format!("no <{name}>"));
    }
    Ok(found.map(Option::unwrap_or_default))
}

fn number(text: &str, what: &str) -> Result<i32, String> {
    text.trim_matches(is_space)
        .parse()
        .map_err(|_| format!("{what} is no whole number: {}", shorten(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_order_between_others() {
        let xml =
            "<USER><TEMPLATE><ID>9</ID><NAME>x</NAME></TEMPLATE><AUTH_DRIVER><![CDATA[core]]></AUTH_DRIVER>
            <NEW a='1'/><ENABLED>0</ENABLED><NAME>caf&#233; &amp; co</NAME><GID>0</GID><PASSWORD>f4&#100;</PASSWORD>
            <ID> 7 </ID></USER>";
        let user = user(xml).unwrap();
        assert_eq!(
            (user.id, user.name.as_str(), user.auth_driver.as_str()),
            (7, "café & co", "core")
        );
        assert!(!user.enabled);
        assert!(user.password.is("f4d") && !user.password.is("f4"));
    }

    #[test]
    fn what_the_database_keeps_of_a_password_is_never_printed() {
        let password = StoredPassword("f4dab6a5".to_owned());
        assert_eq!(format!("{password:?}"), "StoredPassword(redacted)");
    }

    #[test]
    fn only_a_server_that_is_alone_or_leads_does_what_one_may_do() {
        let state = |number| {
            raft_status(&format!(
                "<RAFT><SERVER_ID>1</SERVER_ID><STATE>{number}</STATE><TERM>7</TERM><VOTEDFOR>-1</VOTEDFOR></RAFT>"
            ))
            .map(|status| (status.server_id, status.state))
        };
        assert_eq!(state(2), Ok((1, RaftState::Follower)));
        let leads: Vec<_> = (0..5).map(|n| RaftState::from(n).leads()).collect();
        assert_eq!(leads, [true, false, false, true, false]);
        assert_eq!(
            raft_status("<RAFT><STATE>3</STATE></RAFT>"),
            Err("no <SERVER_ID>".to_owned())
        );
    }

    #[test]
    fn hosts_keep_their_state_even_an_unknown_one() {
        let host =
            |id, state| format!("<HOST><ID>{id}</ID><NAME>h{id}</NAME><STATE>{state}</STATE><VMS/></HOST>");
        let xml = format!(
            "<HOST_POOL>{}{}{}</HOST_POOL>",
            host(0, 2),
            host(1, 8),
            host(12, 77)
        );
        let states: Vec<_> = host_pool(&xml)
            .unwrap()
            .into_iter()
            .map(|h| (h.id, h.state))
            .collect();
        assert_eq!(
            states,
            [
                (0, HostState::Monitored),
                (1, HostState::Offline),
                (12, HostState::Unknown(77))
            ]
        );
        assert_eq!(host_pool("<HOST_POOL></HOST_POOL>"), Ok(vec![]));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            host_pool("<HOST_POOL><HOST><ID>1</ID></HOST></HOST_POOL>"),
            Err("no <NAME>".to_owned())
        );
        assert_eq!(
            host_pool("<VM_POOL/>"),
            Err("<VM_POOL> where <HOST_POOL> belongs".to_owned())
        );
        assert_eq!(user("7.0.2"), Err("text outside the root element".to_owned()));
    }
}
