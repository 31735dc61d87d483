package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strings"

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
	if _, ok := c.manager.(service.UnitKeeper); !ok {
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
		c.warn(c.there(journaldSet("Storage=persistent")), "systemd keeps no log")
	case storage == "volatile":
		c.warn(c.there(journaldSet("Storage=persistent")), "the log does not outlive a boot; the updater's journal does, the services' messages do not")
	case storage != "persistent" && err != nil:
		c.warn(c.there(run("mkdir -p /var/log/journal && systemctl restart systemd-journald")), "the log does not outlive a boot; the updater's journal does, the services' messages do not")
	case set["SystemMaxUse"] == "":
		do := journaldSet("SystemMaxUse=100M")
		do.say = "give it a limit that this device can spare"
		c.warn(c.there(do), "the log may take a tenth of its file system, up to 4 GB")
	default:
		c.pass("it outlives a boot, and takes at most %s", set["SystemMaxUse"])
	}
}

// journaldSet writes a drop-in that comes after the operator's own.
func journaldSet(setting string) advice {
	key, _, _ := strings.Cut(setting, "=")
	file := "/etc/systemd/journald.conf.d/zz-" + strings.ToLower(key) + ".conf"
	return run("mkdir -p %s && printf '[Journal]\\n%s\\n' >%s && systemctl restart systemd-journald", filepath.Dir(file), setting, file)
}

// journald returns the operator's settings; drop-ins come after the main file, and win.
func (c *checkup) journald() map[string]string {
	var files []string
	if host, err := c.Root.Resolve(journaldConf); err == nil {
		files = append(files, host)
	}
	return look.Settings(append(files, look.DropIns(c.Root, journaldDropIns())...))
}
