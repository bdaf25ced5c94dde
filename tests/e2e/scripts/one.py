"""Speaks to OpenNebula's API through pyone, as a user's own program would.

Reads the session ("user:password") from a file, so that no password is in an argument or in the environment.
Progress goes to standard error, the answer to standard output as one JSON object. It ends with 0 when what was
asked for was seen, with 1 and one line of reason otherwise. It never touches Kubernetes: whoever calls it
forwards a port.
"""

import argparse
import json
import sys
import time
import xmlrpc.client

import pyone

ACTIVE, RUNNING = 3, 3  # VM STATE and LCM_STATE
MONITORED = 2  # host STATE


class NotSeen(Exception):
    """A condition that did not come true before its deadline."""


def say(text):
    print(f"      pyone: {text}", file=sys.stderr, flush=True)


def until(what, seconds, look):
    """Calls look() -> (done, state) until it is done; says the state whenever it changes."""
    end, seen = time.monotonic() + seconds, None
    while True:
        done, state = look()
        if state != seen:
            say(f"{what}: {state}")
            seen = state
        if done:
            return
        if time.monotonic() > end:
            raise NotSeen(f"{what}: still {state} after {seconds} s")
        time.sleep(0.2)


def login(one, _args):
    user = one.user.info(-1)
    return {"id": user.ID, "name": user.NAME, "version": one.system.version()}


def logins(one, args):
    """Logs in again and again: a single failure is one too many."""
    slowest = 0.0
    for _ in range(args.times):
        start = time.monotonic()
        one.user.info(-1)
        slowest = max(slowest, time.monotonic() - start)
    return {"times": args.times, "slowest_seconds": round(slowest, 3)}


def create(one, args):
    """A system datastore, a host and a VM of the dummy drivers, until the VM is RUNNING.

    The datastore is a new one because OpenNebula monitors a datastore at once when it is created
    (DatastorePool::allocate), while a changed one waits for the next round, up to
    MONITORING_INTERVAL_DATASTORE = 300 s.
    """
    store = one.datastore.allocate(f'NAME="{args.name}"\nTYPE="SYSTEM_DS"\nTM_MAD="dummy"', -1)
    host = one.host.allocate(args.name, "dummy", "dummy", -1)
    say(f"created datastore {store} and host {host}")

    def store_state():
        total = int(one.datastore.info(store).TOTAL_MB)
        return total > 0, f"{total} MB"

    def host_state():
        state = one.host.info(host).STATE
        return state == MONITORED, f"state {state}"

    until(f"datastore {store} monitored", args.seconds, store_state)
    until(f"host {host} monitored", args.seconds, host_state)
    machine = one.vm.allocate(
        f'NAME="{args.name}"\nCPU="0.1"\nMEMORY="64"\nSCHED_DS_REQUIREMENTS="ID={store}"', False
    )
    start = time.monotonic()

    def machine_state():
        info = one.vm.info(machine)
        return (info.STATE, info.LCM_STATE) == (ACTIVE, RUNNING), f"STATE {info.STATE} LCM_STATE {info.LCM_STATE}"

    until(f"VM {machine}", args.seconds, machine_state)
    return {
        "datastore": store,
        "host": host,
        "vm": machine,
        "placed_on": one.vm.info(machine).HISTORY_RECORDS.HISTORY[-1].HOSTNAME,
        "running_after_seconds": round(time.monotonic() - start, 1),
    }


def known(one, args):
    """The host and the VM of an earlier `create` are there under their ids and names, in their states."""
    host, machine = one.host.info(args.host), one.vm.info(args.vm)
    for thing, wanted in ((host, "host"), (machine, "VM")):
        if thing.NAME != args.name:
            raise NotSeen(f"{wanted} {thing.ID} is named {thing.NAME}, not {args.name}")
    if machine.STATE != ACTIVE:
        raise NotSeen(f"VM {machine.ID} is in STATE {machine.STATE}, not {ACTIVE} (ACTIVE)")

    def host_state():
        state = one.host.info(args.host).STATE
        return state == MONITORED, f"state {state}"

    until(f"host {args.host} monitored", args.seconds, host_state)
    return {"host": host.NAME, "vm": machine.NAME, "state": machine.STATE, "lcm_state": machine.LCM_STATE}


def config(one, args):
    """One attribute of the configuration that oned runs with."""
    value = getattr(one.system.config(), args.attribute)
    return {"attribute": args.attribute, "value": str(value)}


def hypervisors(one, _args):
    """The drivers of hypervisors that oned runs with, in their order."""
    return {"names": [driver.NAME for driver in one.system.config().VM_MAD]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True, help="URL of the XML-RPC API")
    parser.add_argument("--session-file", required=True, help="file with user:password")
    parser.add_argument("--seconds", type=float, default=120, help="deadline of each condition")
    verbs = parser.add_subparsers(required=True)
    for verb in (login, logins, create, known, config, hypervisors):
        sub = verbs.add_parser(verb.__name__)
        sub.set_defaults(verb=verb)
        if verb is logins:
            sub.add_argument("--times", type=int, required=True)
        if verb in (create, known):
            sub.add_argument("--name", required=True)
        if verb is known:
            sub.add_argument("--host", type=int, required=True)
            sub.add_argument("--vm", type=int, required=True)
        if verb is config:
            sub.add_argument("--attribute", required=True)
    args = parser.parse_args()
    with open(args.session_file, encoding="utf-8") as file:
        session = file.readline().rstrip("\n")
    try:
        answer = args.verb(pyone.OneServer(args.endpoint, session=session), args)
    except (NotSeen, pyone.OneException, xmlrpc.client.Error, OSError, AttributeError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
