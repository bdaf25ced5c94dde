"""pyone against a simulated OpenNebula: login, pools, a host, a datastore, machines, failures."""

import sys
import time

import pyone

one = pyone.OneServer(sys.argv[1], session=sys.argv[2])


def until(what, holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def fails(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError(f"{call} did not fail with {kind.__name__}")


assert one.system.version() == "7.0.0"
me = one.user.info(-1)
assert (me.ID, me.NAME, me.AUTH_DRIVER) == (0, "oneadmin", "core")
assert sorted(u.NAME for u in one.userpool.info().USER) == ["oneadmin", "serveradmin"]
assert [z.NAME for z in one.zonepool.info().ZONE] == ["OpenNebula"]
assert [c.NAME for c in one.clusterpool.info().CLUSTER] == ["default"]
assert sorted(d.ID for d in one.datastorepool.info().DATASTORE) == [0, 1, 2]
assert one.zone.raftstatus().STATE == 0
assert one.hostpool.info().HOST == []
assert one.vmpool.info(-2, -1, -1, -1).VM == []
assert one.imagepool.info(-2, -1, -1).IMAGE == []
assert one.vnpool.info(-2, -1, -1).VNET == []

datastore = one.datastore.allocate("NAME=shared TYPE=SYSTEM_DS TM_MAD=dummy", -1)
assert datastore == 100
assert one.datastore.info(datastore).TOTAL_MB > 0, "a new datastore is monitored at once"

host = one.host.allocate("dummy1", "dummy", "dummy", -1)
assert "NAME is already taken by HOST 0." in fails(pyone.OneInternalException, one.host.allocate, "dummy1", "dummy", "dummy", -1)
until("the host is monitored", lambda: one.host.info(host).STATE == 2)

vm = one.vm.allocate('NAME=t1 CPU=0.1 MEMORY=64 SCHED_DS_REQUIREMENTS="ID=100"', False)
assert one.vm.info(vm).STATE == 1, "it is pending until the scheduler's window closes"
until("the machine runs", lambda: (one.vm.info(vm).STATE, one.vm.info(vm).LCM_STATE) == (3, 3))
record = one.vm.info(vm).HISTORY_RECORDS.HISTORY[0]
assert (record.HOSTNAME, record.DS_ID, record.TM_MAD) == ("dummy1", 100, "dummy")
share = one.host.info(host).HOST_SHARE
assert (share.RUNNING_VMS, share.CPU_USAGE, share.MEM_USAGE) == (1, 10, 65536)
assert [v.NAME for v in one.vmpool.infoextended(-2, -1, -1, -1).VM] == ["t1"]

template = one.template.allocate({"TEMPLATE": {"NAME": "small", "CPU": "0.2", "MEMORY": "32"}})
second = one.template.instantiate(template, "second", False, "", False)
assert one.vm.info(second).NAME == "second"

fails(pyone.OneActionException, one.host.delete, host)
one.vm.action("terminate-hard", vm)
assert one.vm.info(vm).STATE == 6
assert [v.ID for v in one.vmpool.info(-2, -1, -1, -1).VM] == [second], "a machine that is done is not listed"
assert one.host.info(host).HOST_SHARE.RUNNING_VMS <= 1

assert "Error getting virtual machine [99999]." in fails(pyone.OneNoExistsException, one.vm.info, 99999)
assert "Method 'one.nosuch' not defined" in fails(pyone.OneException, one.nosuch)
stranger = pyone.OneServer(sys.argv[1], session="oneadmin:wrong")
assert "User couldn't be authenticated" in fails(pyone.OneAuthenticationException, stranger.user.info, 0)
