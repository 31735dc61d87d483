package doctor

import (
	"context"
	"os"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
)

// journaldConf has the operator's settings and their drop-ins; see journald.conf(5).
const journaldConf = "/etc/systemd/journald.conf"

func journaldDropIns() []string {
	return []string{"/etc/systemd/journald.conf.d", "/run/systemd/journald.conf.d", "/usr/local/lib/systemd/journald.conf.d", "/usr/lib/systemd/journald.conf.d"}
}

// retention: the messages of the updater and the services should outlive a boot,
// and not fill the disk. The updater's own history is in its journal.
func (c *checkup) retention(context.Context) {
	if _, ok := c.manager.(service.UnitReader); !ok {
		c.pass("not checked: services do not log to systemd's journal")
		return
	}
	set := c.journald()
	storage := set["Storage"]
	persistent, err := c.Root.Resolve("/var/log/journal")
	if err == nil {
		_, err = os.Stat(persistent)
	}
	switch {
	case storage == "none":
		c.warn("remove Storage=none from journald.conf", "systemd keeps no log")
	case storage == "volatile" || storage != "persistent" && err != nil:
		c.warn("mkdir -p /var/log/journal && systemctl restart systemd-journald", "the log does not outlive a boot; the updater's journal does, the services' messages do not")
	case set["SystemMaxUse"] == "":
		c.warn("set SystemMaxUse=100M, or what this device can spare, in /etc/systemd/journald.conf.d/size.conf", "the log may take a tenth of its file system, up to 4 GB")
	default:
		c.pass("it outlives a boot, and takes at most %s", set["SystemMaxUse"])
	}
}

// journald returns the operator's settings; drop-ins come after the main file, and win.
func (c *checkup) journald() map[string]string {
	var files []string
	if host, err := c.Root.Resolve(journaldConf); err == nil {
		files = append(files, host)
	}
	return look.Settings(append(files, look.DropIns(c.Root, journaldDropIns())...))
}
