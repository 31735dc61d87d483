package devicetest

import "fmt"

// OutOfMemory gives the daemon control groups that say how many of its processes the
// kernel has killed for want of memory, in both versions of control groups: which of them
// has the memory is the host's choice, and the machines of the tests do not see it. It is
// for a device that is switched off.
func (d *Device) OutOfMemory(kills int) {
	d.t.Helper()
	const groups = "/var/lib/groups"
	d.Write(groups+"/system.slice/"+Daemon+"/memory.events", fmt.Sprintf("low 0\nhigh 0\nmax 9\noom %d\noom_kill %d\n", kills, kills), 0o644)
	d.Write(groups+"/memory/memory.oom_control", fmt.Sprintf("oom_kill_disable 0\nunder_oom 0\noom_kill %d\n", kills), 0o644)
	d.Write("/etc/systemd/system/"+Daemon+".d/groups.conf", "[Service]\nBindReadOnlyPaths="+groups+":/sys/fs/cgroup\n", 0o644)
}
