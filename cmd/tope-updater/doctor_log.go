package main

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/cmd/internal/config"
)

// retention: what the updater and the services printed should outlive a boot, and not
// fill the disk. The updater's own account of itself is its journal.
func (c *checkup) retention(context.Context) {
	if c.cfg.Services.Manager != config.Systemd {
		c.pass("not looked at: it is not systemd's")
		return
	}
	set := c.journald()
	storage := set["Storage"]
	persistent, err := c.root.Resolve("/var/log/journal")
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

// journald is what the operator has set; later files, and drop-ins after the
// main file, win. See journald.conf(5).
func (c *checkup) journald() map[string]string {
	set := map[string]string{}
	files := []string{"/etc/systemd/journald.conf"}
	dropIns := map[string]string{} // by name: /etc hides /run, which hides /usr
	for _, dir := range []string{"/usr/lib", "/usr/local/lib", "/run", "/etc"} {
		host, err := c.root.Resolve(dir + "/systemd/journald.conf.d")
		if err != nil {
			continue
		}
		found, _ := filepath.Glob(host + "/*.conf") // the pattern is good
		for _, f := range found {
			dropIns[filepath.Base(f)] = f
		}
	}
	names := make([]string, 0, len(dropIns))
	for name := range dropIns {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, f := range files {
		if host, err := c.root.Resolve(f); err == nil {
			files[i] = host
		}
	}
	for _, name := range names {
		files = append(files, dropIns[name])
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, ";") {
				set[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
		_ = f.Close() // it was only read
	}
	return set
}
